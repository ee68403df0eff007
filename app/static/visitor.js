"use strict";
// The visitor's pages: draws a reading, and remembers in this browser which ones were drawn.
// All words are in the page, in its language.

// ---- which readings this browser has drawn: their addresses and times, and no question

const STORE = "tarot.readings";
const KEPT = 20;

function remembered() {
  try {
    const found = JSON.parse(localStorage.getItem(STORE) || "[]");
    return Array.isArray(found) ? found.filter((one) => /^[0-9a-f]{32}$/.test(one?.id)) : [];
  } catch {
    return []; // storage is off, or somebody else's
  }
}

function remember(id, at) {
  try {
    const others = remembered().filter((one) => one.id !== id);
    localStorage.setItem(STORE, JSON.stringify([{ id, at }, ...others].slice(0, KEPT)));
  } catch {
    // The address is in the address bar all the same.
  }
}

function showMine(section, query) {
  const readings = remembered();
  const list = section.querySelector("ul");
  list.replaceChildren(
    ...readings.map(({ id, at }) => {
      const link = document.createElement("a");
      link.href = `/readings/${id}${query}`;
      const date = new Date(at);
      link.textContent = Number.isNaN(date.getTime()) ? id : date.toLocaleString(document.documentElement.lang);
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  section.hidden = readings.length === 0;
}

// ---- drawing

// A retry of the same question brings the same reading, also where only the answer was lost.
let attempt = { content: null, key: null };

function keyFor(content) {
  if (attempt.content !== content) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    attempt = { content, key };
  }
  return attempt.key;
}

async function ask(form) {
  const fields = new FormData(form);
  // A browser's form has CRLF at the end of a line, which counts twice against the limit.
  const question = fields.get("question").replaceAll("\r\n", "\n").trim();
  const body = JSON.stringify({ question, spread: fields.get("spread") });
  try {
    return await fetch("/api/v1/readings", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": keyFor(body) },
      body,
      signal: AbortSignal.timeout(60000),
    });
  } catch {
    return null;
  }
}

function whyNot(words, answer) {
  if (answer === null) return words.offline;
  const seconds = Number.parseInt(answer.headers.get("Retry-After"), 10) || 10;
  switch (answer.status) {
    case 429:
      return words.limited.replace("{seconds}", seconds);
    case 502:
    case 503:
    case 504:
      return words.away.replace("{seconds}", seconds);
    case 413:
    case 422:
      return words.refused;
    default:
      return words.failed.replace("{id}", answer.headers.get("X-Request-ID") || answer.status);
  }
}

async function draw(form) {
  const told = form.querySelector(".told");
  const button = form.querySelector("button");
  const say = (text) => {
    told.textContent = text;
    told.hidden = !text;
  };
  button.disabled = true;
  say(form.dataset.busy);
  const answer = await ask(form);
  if (answer?.status === 201) {
    const reading = await answer.json().catch(() => null);
    if (reading) {
      remember(reading.id, reading.created_at);
      location.assign(`/readings/${reading.id}${form.dataset.query}`);
      return;
    }
  }
  say(whyNot(form.dataset, answer?.status === 201 ? null : answer));
  button.disabled = false;
  button.focus(); // a disabled one has lost it
}

// ---- what this page has

const form = document.querySelector("[data-drawing]");
if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!form.querySelector("button").disabled) draw(form);
  });
  const mine = document.querySelector("[data-mine]");
  const forgotten = document.querySelector("[data-forgotten]");
  mine.querySelector("button").addEventListener("click", () => {
    localStorage.removeItem(STORE);
    showMine(mine, form.dataset.query);
    forgotten.hidden = false;
  });
  // Also where the browser shows the page as it was, on the way back from a reading.
  window.addEventListener("pageshow", () => {
    form.querySelector("button").disabled = false;
    form.querySelector(".told").hidden = true;
    attempt = { content: null, key: null };
    showMine(mine, form.dataset.query);
  });
}
