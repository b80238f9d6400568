// A button that asks once more in its place: frames in chats may open no dialogs.

import { html, useState } from "./elements.js";

export function Twice({ label, sure, onClick }) {
  const [isAsked, setAsked] = useState(false);
  if (!isAsked) return html`<button onClick=${() => setAsked(true)}>${label}</button>`;
  return html`<button class="danger" onClick=${onClick} onBlur=${() => setAsked(false)}>${sure}</button>`;
}
