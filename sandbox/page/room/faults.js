// Switches for the faults, the life and death of the bot, and the manners of the services.
import { keep, make, poster } from "./dom.js";

const bot = make("div", { className: "bot" });
const groups = make("div", { className: "groups" });
const manners = make("div", { className: "manners" });

export const faults = make("section", { className: "faults" },
  make("p", { className: "lead" }, "Включите поломку, сделайте заказ или покупку и смотрите, как ничего не теряется. " +
    "Каждая срабатывает один раз; «+1» — ещё раз."),
  bot, groups,
  make("fieldset", {}, make("legend", {}, "Как говорят сервисы"),
    make("p", { className: "lead" }, "Этого наверняка не знает никто, поэтому бот должен понимать всё."), manners));

const STATES = { starting: "запускается", running: "работает", paused: "на паузе", down: "упал" };
export function botWords(state) {
  const kind = { running: "good", starting: "wait", paused: "wait", down: "bad" }[state.state];
  const killed = state.state === "down" && state.code === -9 ? " (kill -9)" : "";
  const again = state.starts > 1 && state.state !== "down" ? ` (перезапуск ${state.starts - 1})` : "";
  return [kind, `бот ${STATES[state.state]}${killed}${again}`];
}

export function showFaults(board) {
  keep(bot, [board.bot], () => "bot", botRow);
  const names = [...new Set(board.switches.map((one) => one.group))];
  keep(groups, names, (name) => name, (name) => make("fieldset", { "data-group": name }, make("legend", {}, name),
    make("div", { className: "switches" })));
  for (const fieldset of groups.children) {
    keep(fieldset.querySelector(".switches"), board.switches.filter((one) => one.group === fieldset.dataset.group),
      (one) => one.key, row);
  }
  keep(manners, board.manners, (manner) => manner.key, mannerRow);
}

function botRow(state) {
  const [kind, words] = botWords(state);
  const buttons = state.state === "down"
    ? [poster("Поднять", "bot/restart")]
    : [poster("Убить (kill -9)", "bot/kill", { className: "danger" }), poster("Перезапустить", "bot/restart"),
      state.state === "paused" ? poster("Продолжить", "bot/resume") : poster("Пауза", "bot/pause",
        { disabled: state.state !== "running" })];
  return make("fieldset", {}, make("legend", {}, "Процесс бота"),
    make("div", { className: "process" }, make("span", { className: "pill", "data-kind": kind }, words), ...buttons),
    make("small", {}, "Убитый поднимется сам через секунду. Сообщения за это время ждут у Telegram, " +
      "деньги и заказы — в базе."));
}

function row(one) {
  const id = `switch-${one.key}`;
  const on = one.left > 0;
  return make("div", { className: on ? "switch armed" : "switch" },
    make("span", { className: "words" }, make("b", { id: `${id}-title` }, one.title),
      make("small", { id: `${id}-hint` }, one.hint)),
    on ? make("span", { className: "left" }, `×${one.left}`) : null,
    on ? poster("+1", `switches/${one.key}/on`, { className: "more", "aria-label": `${one.title}: ещё раз` }) : null,
    poster("", `switches/${one.key}/${on ? "off" : "on"}`, { id, className: "toggle", role: "switch",
      "aria-checked": String(on), "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-hint`,
      "data-focus": id }));
}

function mannerRow(manner) {
  const select = make("select", { "data-focus": manner.key },
    ...Object.entries(manner.options).map(([value, title]) => make("option", { value, selected: value === manner.value }, title)));
  select.onchange = () => fetch(`/api/room/manners/${manner.key}/${select.value}`, { method: "POST" });
  return make("label", {}, make("span", {}, make("small", {}, manner.service), " ", manner.title), select);
}
