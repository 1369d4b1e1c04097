const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

let person = 101;
let drawn = "";
const pressed = new Map();

function message(m) {
  const bubble = make("div", { className: "bubble" });
  const media = `/api/media/${person}/${m.id}?${m.file_id}`;
  if (m.photo) bubble.append(make("img", { src: media, alt: "", onload: toEnd }));
  if (m.file) bubble.append(make("a", { href: media, download: m.file }, `📄 ${m.file}`), "\n");
  bubble.append(m.text);
  const time = new Date(m.date * 1000).toLocaleTimeString("ru", { hour: "2-digit", minute: "2-digit" });
  bubble.append(make("small", {}, (m.edited ? "изменено " : "") + time));
  const rows = m.keyboard.map((row) => make("div", { className: "row" }, ...row.map((b) => button(m, b))));
  return make("li", { className: m.outgoing ? "" : "mine" }, bubble, ...rows);
}

function button(m, b) {
  if (b.url) return make("a", { href: b.url, target: "_blank", rel: "noopener" }, b.text + " ↗");
  return make("button", { onclick: () => press(m.id, b.callback_data) }, b.text);
}

async function press(message, data) {
  const answer = await fetch(`/api/press/${person}`, { method: "POST", body: JSON.stringify({ message, data }) });
  pressed.set((await answer.json()).query, true);
  draw();
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  setTimeout(() => { $("toast").hidden = true; }, 3500);
}

function toEnd() { $("messages").scrollTop = $("messages").scrollHeight; }

async function draw() {
  const who = person;
  const state = await (await fetch(`/api/state/${who}`)).json();
  if (who !== person) return;
  $("people").replaceChildren(...state.people.map((p) =>
    make("button", { ariaPressed: p.id === person, onclick: () => { person = p.id; draw(); } }, p.name)));
  const messages = person + JSON.stringify(state.messages);
  if (messages !== drawn) {
    drawn = messages;
    $("messages").replaceChildren(...state.messages.map(message));
    toEnd();
  }
  for (const answer of state.answers) {
    if (pressed.delete(answer.id) && answer.text) toast(answer.text);
  }
}

function pick(file) {
  $("picked").hidden = !file;
  $("picked-name").textContent = file ? file.name : "";
  if (!file) $("file").value = "";
}

$("file").onchange = () => pick($("file").files[0]);
$("drop").onclick = () => pick(null);
$("form").onsubmit = async (event) => {
  event.preventDefault();
  const form = new FormData();
  const file = $("file").files[0];
  if (!file && !$("text").value.trim()) return;
  form.set("text", $("text").value.trim());
  if (file) { form.set("file", file); form.set("as", $("as").value); }
  $("text").value = "";
  pick(null);
  const answer = await fetch(`/api/send/${person}`, { method: "POST", body: form });
  if (!answer.ok) toast("Не отправилось");
};

let soon = 0;
new EventSource("/api/events").onmessage = () => { clearTimeout(soon); soon = setTimeout(draw, 50); };
