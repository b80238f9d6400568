// Tabs as the ARIA practices have them: arrow keys, Home and End move among them.

import { html, useRef } from "./elements.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export function nextTab(names, chosen, key) {
  if (key === "Home") return names[0];
  if (key === "End") return names.at(-1);
  const step = STEPS[key];
  return step && names[(names.indexOf(chosen) + step + names.length) % names.length];
}

export function Tabs({ names, chosen, choose }) {
  const list = useRef();
  const move = (event) => {
    const next = nextTab(names, chosen, event.key);
    if (!next) return;
    event.preventDefault();
    choose(next);
    list.current?.querySelector(`[data-tab="${next}"]`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Views" ref=${list} onKeyDown=${move}>
    ${names.map((name) => html`<button key=${name} role="tab" id="tab-${name}" data-tab=${name} aria-controls="view"
      aria-selected=${name === chosen ? "true" : "false"} tabindex=${name === chosen ? 0 : -1} onClick=${() => choose(name)}>${name}</button>`)}
  </div>`;
}
