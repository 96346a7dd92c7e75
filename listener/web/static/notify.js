"use strict";
// Desktop notifications of alerts that need somebody: only for who asked for them by a click, and
// only while this window is not the one that is looked at. They name no person and quote no text.

(() => {
  const button = document.getElementById("notify");
  if (!button) return;
  const able = "Notification" in window;
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch (error) { /* for this page only */ } };
  const kept = (name) => { try { return localStorage.getItem(name); } catch (error) { return null; } };
  let on = able && Notification.permission === "granted" && kept("notify") === "on";

  const show = () => {
    button.setAttribute("aria-pressed", String(on));
    button.title = on ? "Desktop notifications: on" : "Desktop notifications: off";
  };
  const looked = () => document.visibilityState === "visible" && document.hasFocus();

  button.addEventListener("click", async () => {
    if (!able) { listener.toast("This browser has no desktop notifications", true); return; }
    if (!on && await Notification.requestPermission() !== "granted") {
      listener.toast("Notifications are blocked: allow them for this site in the browser", true);
      return;
    }
    on = !on;
    keep("notify", on ? "on" : "off");
    show();
    listener.toast(on ? "Desktop notifications are on: for alerts that come while you look elsewhere" : "Desktop notifications are off");
  });

  // Tabs share the list, so that one alert is told once.
  function first(mark) {
    const told = (kept("notified") || "").split("\n").filter(Boolean);
    if (told.includes(mark)) return false;
    keep("notified", [...told, mark].slice(-60).join("\n"));
    return true;
  }

  async function tell(id) {
    const answer = await fetch(`/api/v1/alerts/${encodeURIComponent(id)}`);
    if (!answer.ok) return;
    const { alert, unread } = await answer.json();
    const open = alert.state === "open" || alert.state === "reopened";
    if (!open || !unread || !first(`${id} ${alert.priority} ${alert.cycle || 0}`)) return;
    const what = alert.issue === "none" ? "" : ` · ${alert.issue}`;
    const note = new Notification(`${alert.priority}${what}${alert.brand ? ` · ${alert.brand}` : ""}`, {
      body: alert.state === "reopened" ? "An alert is open again" : "A new alert needs somebody",
      tag: id,
      icon: "/static/icon.svg",
    });
    note.onclick = () => { window.focus(); location.href = `/?alert=${encodeURIComponent(id)}`; note.close(); };
  }

  const waiting = new Set();
  const soon = listener.later(async () => {
    const ids = [...waiting];
    waiting.clear();
    try {
      if (ids.length <= 5) { for (const id of ids) await tell(id); return; }
      const note = new Notification(`${ids.length} alerts have changed`, { tag: "listener", icon: "/static/icon.svg" });
      note.onclick = () => { window.focus(); location.href = "/"; note.close(); };
    } catch (error) { /* the title's count says so already */ }
  }, 800);

  listener.on((change) => {
    if (!on || change.kind !== "alert" || looked()) return;
    waiting.add(change.key);
    soon();
  });
  show();
})();
