// Asks the search of a built site, as a browser would: node search.js SITE QUERY... prints for each query, as JSON,
// the pages that it finds, the best first.
const fs = require("fs"), path = require("path"), vm = require("vm");
const [site, ...queries] = process.argv.slice(2);
const folder = path.join(site, "assets/javascripts/workers");
const worker = fs.readdirSync(folder).find((name) => /^search.*\.js$/.test(name));
const { config, docs } = JSON.parse(fs.readFileSync(path.join(site, "search/search_index.json")));

let ask, answered;
const scope = { addEventListener: (_, listener) => (ask = listener), postMessage: (message) => answered(message), console };
scope.self = scope;
vm.runInNewContext(fs.readFileSync(path.join(folder, worker), "utf8"), scope);
const answer = (type, data) => new Promise((done) => { answered = done; ask({ data: { type, data } }); });

(async () => {
  await answer(0, { config, docs, options: {} });
  for (const query of queries) {
    const { items } = (await answer(2, query)).data;
    console.log(JSON.stringify(items.map((sections) => sections[0].location.split("#")[0])));
  }
})();
