// The machine room: every HTTP call between the services.
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const journal = make("ol", { id: "journal" });
document.getElementById("room").append(make("h2", {}, "HTTP"), journal);

function call(c) {
  const line = make("summary", {}, `${c.status || "…"} ${c.service} ${c.method} ${c.route}`);
  if (c.status >= 400) line.className = "bad";
  return make("li", {}, make("details", {}, line, make("pre", {}, c.path + "\n" + c.body)));
}

async function draw() {
  const calls = await (await fetch("/api/journal")).json();
  journal.replaceChildren(...calls.reverse().map(call));
}

let soon = 0;
new EventSource("/api/events").onmessage = () => { clearTimeout(soon); soon = setTimeout(draw, 50); };
