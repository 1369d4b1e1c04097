// The people one can be, as tabs; a dot where the bot has said something unseen.
import { api } from "./api.js";
import { $, dress, make, sheet } from "./dom.js";

const tabs = $("people"), dialog = sheet($("new-person"));
const seen = new Map();
let drawn = "";

export const people = {
  start(choose) {
    $("newcomer").addEventListener("click", () => {
      $("person-name").value = "";
      $("person-language").value = "ru";
      dialog.returnValue = "";
      dialog.showModal();
    });
    dialog.addEventListener("close", async () => {
      const name = $("person-name").value.trim();
      if (dialog.returnValue === "add" && name) choose((await api.addPerson(name, $("person-language").value)).id, true);
    });
    tabs.addEventListener("click", (event) => {
      const tab = event.target.closest("[aria-pressed]");
      if (tab) choose(Number(tab.dataset.id), true);
    });
    tabs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const all = [...tabs.children];
      const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
      choose(Number(next.dataset.id));
      next.focus();
    });
  },

  // `reading`: whether the current person has the end of the chat before their eyes.
  draw(known, current, reading) {
    for (const { id, last } of known) if (!seen.has(id) || (id === current && reading)) seen.set(id, last);
    const state = JSON.stringify([known, current, [...seen]]);
    if (state === drawn) return;
    drawn = state;
    const old = new Map([...tabs.children].map((tab) => [Number(tab.dataset.id), tab]));
    known.forEach(({ id, name, language, last }) => {
      const tab = old.get(id) ?? newTab(id, name, language);
      const unread = last > seen.get(id) && id !== current;
      tab.ariaPressed = String(id === current);
      tab.classList.toggle("unread", unread);
      tab.ariaLabel = unread ? `${name}, есть новое` : name;
      if (!tab.parentNode) tabs.append(tab);
      if (id === current && !old.has(id)) tab.scrollIntoView();
    });
  },
};

function newTab(id, name, language) {
  const avatar = make("span", { className: "avatar", ariaHidden: "true" });
  dress(avatar, id, name);
  const tab = make("button", { ariaPressed: "false", title: `${name}, язык ${language}` },
    avatar, make("span", { className: "name" }, name), make("small", {}, language));
  tab.dataset.id = id;
  return tab;
}
