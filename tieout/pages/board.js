// The page works without this: it only opens what a link or the printer asks for.
(function () {
  var all = function () { return Array.prototype.slice.call(document.querySelectorAll("details")); };
  function reveal() {
    var target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (var node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target && target.querySelector) {
      var inner = target.querySelector("details");
      if (inner && target.tagName === "TBODY") inner.open = true;
      target.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", reveal);
  reveal();
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = all().filter(function (d) { return !d.open && d.hasAttribute("data-print"); });
    opened.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () { opened.forEach(function (d) { d.open = false; }); });
  var button = document.getElementById("expand");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      var open = all().some(function (d) { return !d.open; });
      all().forEach(function (d) { d.open = open; });
      button.setAttribute("aria-pressed", String(open));
    });
  }
})();
