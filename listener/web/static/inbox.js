"use strict";
// The inbox: keys, actions, several at once, and the list and the alert as they change.

const box = document.getElementById("inbox");
const detail = document.getElementById("detail");
const scroller = document.getElementById("scroller");
const bulk = document.getElementById("bulk");
const mayAct = document.body.dataset.acts === "yes";
const picked = new Set();
let more = false;

const items = () => [...document.querySelectorAll("#items > .item")];
const article = () => detail.querySelector("article.alert");
const chosen = () => (article() ? article().dataset.id : null);

// --- the list -----------------------------------------------------------------------------------
function refresh() {
  if (more) return;
  const query = new URLSearchParams(new FormData(document.getElementById("filters")));
  if (chosen()) query.set("chosen", chosen());
  htmx.ajax("GET", `/inbox/list?${query}`, { target: "#list", swap: "innerHTML" });
}
const refreshSoon = listener.later(refresh, 250);
const refreshAlert = listener.later(() => {
  if (chosen()) htmx.ajax("GET", `/inbox/alert/${encodeURIComponent(chosen())}`, { target: "#detail", swap: "innerHTML" });
}, 150);

const refreshOverview = listener.later(() => {
  if (document.getElementById("overview")) htmx.ajax("GET", "/inbox/overview", { target: "#overview", swap: "outerHTML" });
}, 2500);

listener.on((change) => {
  if (change.kind !== "alert" && change.kind !== "reset") return;
  refreshSoon();
  refreshOverview();
  if (change.kind === "reset" || change.key === chosen()) refreshAlert();
});

function afterSwap() {
  const head = document.querySelector(".listhead");
  if (head) {
    listener.unread(Number(head.dataset.unread));
    document.getElementById("clear").hidden = head.dataset.query === "state=standing";
  }
  for (const item of items()) {
    item.querySelector(".pick").checked = picked.has(item.dataset.id);
    mark(item);
  }
  for (const id of [...picked]) if (!document.getElementById(`item-${id}`) && !more) picked.delete(id);
  showBulk();
}

function mark(item) {
  const on = item.dataset.id === chosen();
  item.classList.toggle("is-chosen", on);
  const link = item.querySelector("a");
  if (on) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
}

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "list") { more = false; afterSwap(); }
  else if (event.detail.target.closest && event.detail.target.closest("#list")) { more = true; afterSwap(); }
  if (event.detail.target === detail) opened();
});

// --- one alert ----------------------------------------------------------------------------------
function opened() {
  if (!article()) return;
  box.classList.add("has-chosen");
  items().forEach(mark);
  const item = document.getElementById(`item-${chosen()}`);
  if (item && item.classList.contains("is-unread")) {
    item.classList.remove("is-unread");
    listener.send(`/api/v1/alerts/${encodeURIComponent(chosen())}/seen`).then(listener.count, () => {});
  }
}

function back() {
  const id = chosen();
  box.classList.remove("has-chosen");
  const link = id && document.getElementById(`open-${id}`);
  if (link) link.focus();
}

function step(by) {
  const all = items();
  if (!all.length) return;
  const focused = document.activeElement.closest ? document.activeElement.closest(".item") : null;
  const from = all.indexOf(focused) >= 0 ? all.indexOf(focused) : all.findIndex((i) => i.dataset.id === chosen());
  const next = all[Math.min(Math.max(from + by, 0), all.length - 1)];
  const link = next.querySelector("a");
  link.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  if (box.clientWidth > 860 && next.dataset.id !== chosen()) link.click();
}

// --- actions ------------------------------------------------------------------------------------
const past = { acknowledge: "Acknowledged", resolve: "Resolved", wrong: "Marked as wrong", assign: "Assigned", silence: "Silenced", link: "Linked", unlink: "Unlinked" };

async function act(ids, wish) {
  if (!mayAct || !ids.length) return;
  try {
    if (ids.length === 1) await listener.send(`/api/v1/alerts/${encodeURIComponent(ids[0])}/actions`, wish);
    else {
      const { failed } = await listener.send("/api/v1/actions", { ...wish, alert_ids: ids });
      const reasons = Object.values(failed);
      if (reasons.length) listener.toast(`${reasons.length} of ${ids.length} were not taken: ${reasons[0]}`, true);
    }
    listener.toast(`${past[wish.kind]}: sent${ids.length > 1 ? ` for ${ids.length} alerts` : ""}`);
    const pending = document.getElementById("pending");
    if (pending && ids.includes(chosen())) pending.hidden = false;
  } catch (error) { listener.toast(error.message, true); }
}

function ask(kind, ids) {
  const dialog = document.getElementById(`do-${kind}`);
  if (!dialog || !ids.length || !mayAct) return;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "ok") return;
    const form = new FormData(dialog.querySelector("form"));
    const wish = { kind };
    for (const name of ["note", "assignee", "customer_id"]) {
      const value = String(form.get(name) || "").trim();
      if (value) wish[name] = value;
    }
    if (form.get("hours")) wish.until = new Date(Date.now() + listener.skew + form.get("hours") * 3600e3).toISOString();
    act(ids, wish);
    dialog.querySelector("form").reset();
  };
  dialog.showModal();
}

function wish(kind, ids) {
  if (kind === "acknowledge") act(ids, { kind });
  else if (kind === "unlink") act(ids, { kind, customer_id: article().dataset.customer });
  else ask(kind, ids);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.do && chosen()) wish(button.dataset.do, [chosen()]);
  else if (button.dataset.bulk === "none") { picked.clear(); afterSwap(); }
  else if (button.dataset.bulk) { wish(button.dataset.bulk, [...picked]); picked.clear(); afterSwap(); }
  else if ("back" in button.dataset) back();
  else if (button.id === "show-keys") document.getElementById("keys").showModal();
});

// --- several at once ----------------------------------------------------------------------------
function showBulk() {
  bulk.hidden = picked.size === 0 || !mayAct;
  document.getElementById("picked").textContent = String(picked.size);
}

document.addEventListener("change", (event) => {
  if (!event.target.classList.contains("pick")) return;
  const id = event.target.closest(".item").dataset.id;
  if (event.target.checked) picked.add(id); else picked.delete(id);
  showBulk();
});

// --- keys ---------------------------------------------------------------------------------------
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
  const focused = document.activeElement.closest(".item");
  const here = picked.size ? [...picked] : [focused ? focused.dataset.id : chosen()].filter(Boolean);
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    a: () => wish("acknowledge", here),
    r: () => wish("resolve", here),
    s: () => wish("silence", here),
    x: () => { const item = focused || document.getElementById(`item-${chosen()}`); if (item) item.querySelector(".pick").click(); },
    "?": () => document.getElementById("keys").showModal(),
    Escape: back,
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

afterSwap();
opened();
