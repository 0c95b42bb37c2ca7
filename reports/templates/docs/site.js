// Search and lineage. No library; everything is text, nothing is made into markup.
(function () {
  "use strict";
  var root = document.body.dataset.root;
  var input = document.getElementById("q");
  var hits = document.getElementById("hits");
  var found = document.getElementById("found");
  var waiting = null;

  function withIndex(then) {
    if (window.cdpIndex) { then(); return; }
    if (waiting) { waiting.push(then); return; }
    waiting = [then];
    var script = document.createElement("script");
    script.src = root + "assets/search-index.js";
    script.onload = function () { waiting.forEach(function (call) { call(); }); waiting = null; };
    document.head.appendChild(script);
  }

  // An exact name first, then names that begin so, then names that hold it, then texts.
  function rank(entry, words) {
    var title = entry[1].toLowerCase(), text = entry[2].toLowerCase(), score = 0;
    for (var i = 0; i < words.length; i += 1) {
      var word = words[i], at = title.indexOf(word);
      if (title === word || title.endsWith("." + word)) { score += 8; }
      else if (at === 0) { score += 5; }
      else if (at > 0) { score += /[a-z0-9]/.test(title[at - 1]) ? 2 : 4; }
      else if (text.indexOf(word) >= 0) { score += 1; }
      else { return 0; }
    }
    return score + (entry[0] === "column" || entry[0] === "file column" ? 0 : 0.5);
  }

  function look(question) {
    var words = question.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) { return []; }
    return window.cdpIndex
      .map(function (entry, place) { return [rank(entry, words), place, entry]; })
      .filter(function (scored) { return scored[0] > 0; })
      .sort(function (a, b) { return b[0] - a[0] || a[1] - b[1]; })
      .map(function (scored) { return scored[2]; });
  }

  function part(tag, kind, text) {
    var element = document.createElement(tag);
    if (kind) { element.className = kind; }
    element.textContent = text;
    return element;
  }

  function link(entry) {
    var anchor = document.createElement("a");
    anchor.href = root + entry[3];
    anchor.appendChild(part("span", "hit-kind", entry[0]));
    anchor.appendChild(part("span", "", entry[1]));
    anchor.appendChild(part("span", "hit-text", entry[2]));
    return anchor;
  }

  function show() {
    var results = look(input.value);
    hits.textContent = "";
    results.slice(0, 12).forEach(function (entry) { hits.appendChild(link(entry)); });
    hits.hidden = !results.length;
    found.textContent = input.value.trim() ? results.length + " results" : "";
  }

  function close() { hits.hidden = true; }

  input.addEventListener("focus", function () { withIndex(function () {}); });
  input.addEventListener("input", function () { withIndex(show); });
  document.addEventListener("keydown", function (event) {
    var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing) { event.preventDefault(); input.focus(); return; }
    if (event.key === "Escape" && !hits.hidden) { close(); input.focus(); return; }
    if (hits.hidden || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) { return; }
    var stops = [input].concat(Array.from(hits.children));
    var at = stops.indexOf(document.activeElement);
    if (at < 0) { return; }
    event.preventDefault();
    stops[(at + (event.key === "ArrowDown" ? 1 : stops.length - 1)) % stops.length].focus();
  });
  document.addEventListener("click", function (event) {
    if (!event.target.closest(".find")) { close(); }
  });

  var list = document.getElementById("all-hits");
  if (list) {
    var question = new URLSearchParams(window.location.search).get("q") || "";
    if (question.trim()) {
      input.value = question;
      withIndex(function () {
        var results = look(question);
        document.getElementById("asked").textContent = results.length + " results for “" + question + "”";
        list.textContent = "";
        results.slice(0, 200).forEach(function (entry) {
          var item = document.createElement("li");
          item.appendChild(link(entry));
          list.appendChild(item);
        });
      });
    }
  }

  var drawing = document.querySelector("svg.lineage");
  if (!drawing) { return; }
  var curves = Array.from(drawing.querySelectorAll("path"));
  var boxes = Array.from(drawing.querySelectorAll("a"));

  // Everything before and after a box, however far away.
  function reach(name, from, to) {
    var reached = new Set([name]), fresh = [name];
    while (fresh.length) {
      var current = fresh.pop();
      curves.forEach(function (curve) {
        if (curve.dataset[from] === current && !reached.has(curve.dataset[to])) {
          reached.add(curve.dataset[to]);
          fresh.push(curve.dataset[to]);
        }
      });
    }
    return reached;
  }

  function choose(name) {
    var after = reach(name, "from", "to"), before = reach(name, "to", "from");
    drawing.classList.add("chosen");
    boxes.forEach(function (box) {
      box.classList.toggle("near", after.has(box.dataset.name) || before.has(box.dataset.name));
    });
    curves.forEach(function (curve) {
      var ahead = after.has(curve.dataset.from) && after.has(curve.dataset.to);
      var behind = before.has(curve.dataset.from) && before.has(curve.dataset.to);
      curve.classList.toggle("near", ahead || behind);
    });
  }

  function clear() { drawing.classList.remove("chosen"); }

  boxes.forEach(function (box) {
    box.addEventListener("mouseenter", function () { choose(box.dataset.name); });
    box.addEventListener("mouseleave", clear);
    box.addEventListener("focus", function () { choose(box.dataset.name); });
    box.addEventListener("blur", clear);
  });
}());
