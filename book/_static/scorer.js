/* How results of a search are ordered: chapters before names of the API reference. */
var Scorer = {
  objNameMatch: 2, objPartialMatch: 1, objPrio: { 0: 1, 1: 0, 2: -1 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
