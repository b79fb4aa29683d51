/* Solutions open with the code below them, sliders say what they show, and search works
   from disk, in Greek and in Chinese. The pages are whole without any of it. */

/* A solution's answer is text, and often a folded cell below: one click opens both. */
function openSolutions() {
  for (const solution of document.querySelectorAll("article details")) {
    if (solution.querySelector("summary")?.textContent.trim() !== "Solution") continue;
    const below = solution.nextElementSibling;
    const cell = below?.querySelector(":scope.cell details.hide, :scope > details.hide");
    solution.addEventListener("toggle", () => cell && (cell.open = solution.open));
  }
}

/* Paper shows everything that is folded, and folds it again. */
function openForPrinting() {
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("article details:not([open])")];
    folded.forEach((details) => (details.open = true));
  });
  window.addEventListener("afterprint", () => {
    folded.forEach((details) => (details.open = false));
  });
}

/* A formula that is wider than the page gets smaller, to a limit: what is still too long
   can be moved sideways. */
const SMALLEST = 0.58;
function fitFormulas() {
  const boxes = [...document.querySelectorAll("div.math")];
  boxes.forEach((box) => box.style.removeProperty("--fit"));
  const shares = boxes.map((box) => box.clientWidth / box.scrollWidth);
  boxes.forEach((box, i) => {
    if (shares[i] < 1) box.style.setProperty("--fit", Math.max(shares[i] - 0.01, SMALLEST));
  });
}

/* A slider counts pictures from 0; a screen reader says which one of how many. */
function nameSliders() {
  for (const slider of document.querySelectorAll(".animation input[type=range]")) {
    const count = Number(slider.max) - Number(slider.min) + 1;
    const say = () => {
      const number = Number(slider.value) - Number(slider.min) + 1;
      slider.setAttribute("aria-valuetext", `picture ${number} of ${count}`);
    };
    say();
    slider.addEventListener("input", say);
  }
}

/* What readers type, in the words of the index. */
const GREEK = {
  α: "alpha", β: "beta", γ: "gamma", δ: "delta", ε: "epsilon", ζ: "zeta", η: "eta",
  θ: "theta", λ: "lambda", μ: "mu", π: "pi", ρ: "rho", σ: "sigma", τ: "tau", φ: "phi",
  ψ: "psi", ω: "omega", Σ: "sigma",
};
const CHINESE = {
  扩散: "diffusion", 前向: "forward", 逆向: "reverse", 反向: "reverse", 轨迹: "trajectory",
  熵: "entropy", 条件熵: "entropy", 后验: "posterior", 先验: "prior", 噪声: "noise",
  下界: "bound", 似然: "likelihood", 对数似然: "likelihood", 概率: "probability",
  高斯: "gaussian", 二项: "binomial", 伯努利: "bits", 训练: "training", 方差: "variance",
  均值: "mean", 分布: "distribution", 采样: "sampling", 样本: "samples", 去噪: "denoising",
  修复: "filling", 瑞士卷: "roll", 心跳: "heartbeat", 卷积: "convolution",
  网络: "network", 马尔可夫: "markov", 热力学: "thermodynamics", 非平衡: "nonequilibrium",
  散度: "divergence", 扰动: "perturbed", 枯叶: "leaves", 树皮: "bark", 优化: "optimiser",
  步长: "rate", 参考文献: "references", 公式: "equation", 方程: "equation",
};
function inWordsOfTheIndex(query) {
  const equation = /^\s*(?:eqs?|equation|公式|方程)?\.?\s*\(?\s*(\d{1,2})\s*\)?\s*$/i;
  const number = query.match(equation);
  if (number) return `Eq. ${number[1]}`;
  let words = query.replace(/[\u0391-\u03c9]/g, (letter) => ` ${GREEK[letter] || letter} `);
  const terms = Object.keys(CHINESE).sort((a, b) => b.length - a.length);
  for (const term of terms) words = words.replaceAll(term, ` ${CHINESE[term]} `);
  return words.replace(/\s+/g, " ").trim();
}

/* A page opened from disk may not fetch another for its excerpt, but may load a script. */
function excerptsFromDisk() {
  const here = document.currentScript.src;
  const texts = new Promise((loaded) => {
    const script = document.createElement("script");
    script.onload = () => loaded(window.bookTexts);
    script.src = here.replace(/dpm\.js.*/, "texts.js");
    document.head.append(script);
  });
  window.fetch = async (url) => ({
    text: async () => {
      const text = (await texts)[url.replace(/^(\.\/)+/, "")];
      return text ? `<main role="main">${text}</main>` : "";
    },
  });
}

/* The search's own script is loaded before this one on some pages, after it on others. */
let translates = false;
function translateQueries() {
  if (translates || typeof Search === "undefined") return;
  translates = true;
  const perform = Search.performSearch;
  Search.performSearch = (query) => perform(inWordsOfTheIndex(query));
}

translateQueries();
if (window.location.protocol === "file:" && document.currentScript) {
  if (document.querySelector("title").textContent.startsWith("Search")) excerptsFromDisk();
}
/* What the theme leaves without a name for those who listen: the sidebar, the arrows in
   it, and corners of tables, which head nothing. */
function nameTheRest() {
  const sidebar = document.querySelector(".bd-sidebar-primary");
  sidebar?.setAttribute("role", "region");
  sidebar?.setAttribute("aria-label", "Sidebar");
  for (const arrow of document.querySelectorAll("summary:has(.toctree-toggle)")) {
    const part = arrow.closest("li")?.querySelector("a")?.textContent.trim();
    arrow.setAttribute("aria-label", `Pages of ${part}`);
  }
  for (const corner of document.querySelectorAll("article th")) {
    if (corner.textContent.trim()) continue;
    const cell = document.createElement("td");
    cell.className = corner.className;
    corner.replaceWith(cell);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  translateQueries();
  openSolutions();
  openForPrinting();
  nameSliders();
  nameTheRest();
});
window.addEventListener("load", () => {
  window.MathJax?.startup?.promise.then(fitFormulas);
  window.addEventListener("resize", fitFormulas);
});
