"use strict";
// Swaps the content when the server says that something has changed. Without this script the page
// is whole, only not live.
const content = document.getElementById("content");
const live = document.getElementById("live");
let busy = false;
let again = false;

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch("/fragment");
    if (answer.ok) {
      const top = window.scrollY;
      content.innerHTML = await answer.text();
      window.scrollTo(0, top);
    }
  } finally {
    busy = false;
    if (again) { again = false; setTimeout(refresh, 500); }
  }
}

const events = new EventSource("/events");
events.addEventListener("changed", refresh);
events.onopen = () => { live.textContent = "Live"; live.className = "on"; };
events.onerror = () => { live.textContent = "Connection lost, trying again"; live.className = "off"; };
window.addEventListener("pagehide", () => events.close());
