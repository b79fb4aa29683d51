/* How results of a search are ordered: chapters before names of the API reference, and
   before the ledger, whose headings are the chapters'. */
var Scorer = {
  score: ([page, title, anchor, words, score]) => score - (page === "book/ledger" ? 1 : 0),
  objNameMatch: 2, objPartialMatch: 1, objPrio: { 0: 1, 1: 0, 2: -1 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
