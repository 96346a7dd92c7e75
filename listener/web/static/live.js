"use strict";
// What every page has: theme, relative times, live updates, messages, and requests that change.

const listener = {
  csrf: document.body.dataset.csrf || "",
  skew: Date.parse(document.querySelector("meta[name=listener-now]").content) - Date.now() || 0,
  handlers: [],
  on(handler) { this.handlers.push(handler); },
  tell(change) { for (const handler of this.handlers) handler(change); },

  toast(text, bad) {
    const line = document.createElement("p");
    line.textContent = text;
    if (bad) line.className = "bad";
    const box = document.getElementById("toasts");
    box.append(line);
    while (box.children.length > 3) box.firstChild.remove();
    setTimeout(() => line.remove(), bad ? 9000 : 5000);
  },

  async send(path, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": this.csrf },
      body: JSON.stringify(body || {}),
    });
    if (answer.ok) return answer.status === 204 ? {} : answer.json();
    let detail = answer.statusText;
    try { detail = (await answer.json()).detail || detail; } catch (error) { /* no JSON */ }
    throw new Error(detail);
  },

  later(work, wait) {
    let timer = 0;
    return () => { clearTimeout(timer); timer = setTimeout(work, wait); };
  },
};

// --- theme --------------------------------------------------------------------------------------
const themes = ["", "light", "dark"];
const named = { "": "as the system", light: "light", dark: "dark" };
const themeButton = document.getElementById("theme");
if (themeButton) {
  const show = () => {
    const name = named[document.documentElement.dataset.theme || ""];
    themeButton.setAttribute("aria-label", `Theme: ${name}`);
    themeButton.title = `Theme: ${name}`;
  };
  themeButton.addEventListener("click", () => {
    const at = themes.indexOf(document.documentElement.dataset.theme || "");
    const next = themes[(at + 1) % themes.length];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try { localStorage.setItem("theme", next); } catch (error) { /* for this page only */ }
    show();
    listener.tell({ kind: "theme" });
  });
  show();
}

// --- times --------------------------------------------------------------------------------------
function span(seconds) {
  for (const [unit, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 0.99 * unit) return `${Math.round(seconds / unit)} ${name}`;
  }
  return "1 min";
}

function relative(seconds) {
  const size = Math.abs(seconds);
  if (size < 45) return seconds <= 0 ? "just now" : "in a moment";
  return seconds < 0 ? `${span(size)} ago` : `in ${span(size)}`;
}

setInterval(() => {
  const now = Date.now() + listener.skew;
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = relative((Date.parse(time.dateTime) - now) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}, 20000);

// --- htmx ---------------------------------------------------------------------------------------
document.body.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = listener.csrf;
});
document.body.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) { location.href = "/login"; return; }
  let detail = `the server answered ${event.detail.xhr.status}`;
  try { detail = JSON.parse(event.detail.xhr.responseText).detail || detail; } catch (error) { /* no JSON */ }
  listener.toast(detail, true);
});
document.body.addEventListener("htmx:sendError", () => listener.toast("No connection; try again", true));

// --- unread mark --------------------------------------------------------------------------------
const plainTitle = document.title;
listener.unread = (n) => {
  document.title = n ? `(${n}) ${plainTitle}` : plainTitle;
  const badge = document.getElementById("unread");
  if (badge) { badge.hidden = !n; badge.textContent = n > 99 ? "99+" : String(n); }
};
listener.count = listener.later(async () => {
  try {
    const answer = await fetch("/api/v1/inbox");
    if (answer.ok) listener.unread((await answer.json()).unread);
  } catch (error) { /* the live mark says so already */ }
}, 400);

// --- live ---------------------------------------------------------------------------------------
const live = document.getElementById("live");
if (live) {
  const say = (text, state) => { live.lastElementChild.textContent = text; live.className = `live ${state}`; };
  const events = new EventSource("/api/v1/events");
  events.onopen = () => say("Live", "on");
  events.onerror = () => say("Reconnecting", "off");
  events.addEventListener("change", (event) => listener.tell(JSON.parse(event.data)));
  events.addEventListener("reset", () => listener.tell({ kind: "reset" }));
  window.addEventListener("pagehide", () => events.close());
  listener.on((change) => { if (change.kind === "alert" || change.kind === "reset") listener.count(); });
  listener.count();
}

// --- pages that need little ---------------------------------------------------------------------
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-replay]");
  if (!button) return;
  button.disabled = true;
  try {
    const { sent } = await listener.send(`/api/v1/dead-letters/${encodeURIComponent(button.dataset.replay)}/replay`);
    listener.toast(sent ? "Sent to its topic again" : "Its original is whole nowhere any more", !sent);
  } catch (error) { listener.toast(error.message, true); }
  button.disabled = false;
});

const news = document.getElementById("news");
if (news) {
  listener.on((change) => { if (change.kind === "mentions" || change.kind === "reset") news.hidden = false; });
  news.addEventListener("click", () => location.reload());
}

if (document.getElementById("fit-live")) {
  const again = listener.later(() => {
    if (document.activeElement.closest("#fit-live")) return;
    htmx.ajax("GET", location.pathname + location.search, { target: "#fit-live", select: "#fit-live", swap: "outerHTML" });
  }, 4000);
  listener.on((change) => { if (change.kind === "fit" || change.kind === "reset") again(); });
}
