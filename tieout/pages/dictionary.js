// The page works without this: it only hides what was not asked for.
(function () {
  var input = document.getElementById("word"), none = document.getElementById("none"), count = document.getElementById("count");
  var entries = Array.prototype.slice.call(document.querySelectorAll(".entry"));
  var owners = Array.prototype.slice.call(document.querySelectorAll(".owners button"));
  if (!input) return;
  ["seek", "owners"].forEach(function (id) { document.getElementById(id).hidden = false; });
  document.getElementById("seek").addEventListener("submit", function (event) { event.preventDefault(); });
  var owner = "";
  function plain(text) { return text.toLowerCase().replace(/[\s_\-]+/g, " ").replace(/\(/g, "（").replace(/\)/g, "）").trim(); }
  function show() {
    var asked = plain(input.value).split(" ").filter(Boolean), shown = 0;
    entries.forEach(function (entry) {
      var text = entry.textSearched || (entry.textSearched = plain(entry.getAttribute("data-search")));
      var fits = (!owner || entry.getAttribute("data-owner") === owner) && asked.every(function (part) { return text.indexOf(part) >= 0; });
      entry.hidden = !fits;
      if (fits) shown += 1;
    });
    count.textContent = shown + " / " + entries.length;
    none.className = shown ? "none" : "todo";
  }
  input.addEventListener("input", show);
  owners.forEach(function (button) {
    button.addEventListener("click", function () {
      owner = button.getAttribute("aria-pressed") === "true" ? "" : button.getAttribute("data-owner");
      owners.forEach(function (one) { one.setAttribute("aria-pressed", String(!!owner && one.getAttribute("data-owner") === owner)); });
      show();
    });
  });
  // A link to an entry shows it, whatever was asked before.
  function reveal() {
    var target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden) { input.value = ""; owner = ""; owners.forEach(function (one) { one.setAttribute("aria-pressed", "false"); }); show(); }
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  show();
  reveal();
})();
