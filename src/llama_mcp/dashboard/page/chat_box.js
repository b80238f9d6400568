// A message to the model, and its reply as it is written.

import { html, useEffect, useRef, useState } from "./elements.js";
import { Markdown } from "./markdown.js";

// How long one question waits: in a chat no progress reaches a page, so it asks again and again.
const FIRST_WAIT_SECONDS = 0.5;
const NEXT_WAIT_SECONDS = 0.7;
const WAITS = new Set(["in_progress", "waiting"]);

// Tells the whole text so far, and returns the reply's last part.
export async function converse(link, message, sessionId, tell) {
  const session = sessionId ? { session_id: sessionId } : {};
  if (link.streams) {
    let text = "";
    const onText = (piece) => tell((text += piece));
    const { data } = await link.call("chat", { message, ...session }, { onText });
    return finish(link, data, text, tell);
  }
  const { data } = await link.call("chat", { message, ...session, stream: "off", wait_seconds: FIRST_WAIT_SECONDS });
  return finish(link, data, "", tell);
}

async function finish(link, first, told, tell) {
  let part = first;
  let text = WAITS.has(part.status) ? told + (told ? "" : (part.reply ?? "")) : (part.reply ?? told);
  tell(text, part.session_id);
  while (WAITS.has(part.status)) {
    const args = { session_id: part.session_id, wait_seconds: NEXT_WAIT_SECONDS };
    ({ data: part } = await link.call("wait_for_reply", args));
    text += part.reply ?? "";
    tell(text, part.session_id);
  }
  return { ...part, text };
}

export function ChatBox({ link, sessionId, onEnd }) {
  const [draft, setDraft] = useState("");
  const [said, setSaid] = useState(null);
  const [reply, setReply] = useState("");
  const [error, setError] = useState("");
  const running = useRef(null);
  useEffect(() => () => { running.current = null; }, []);

  const send = async (event) => {
    event.preventDefault();
    const message = draft.trim();
    if (!message || said !== null) return;
    setSaid(message);
    setDraft("");
    setReply("");
    setError("");
    const turn = (running.current = { sessionId });
    try {
      const end = await converse(link, message, sessionId, (text, id) => {
        turn.sessionId = id ?? turn.sessionId;
        if (running.current === turn) setReply(text);
      });
      turn.sessionId = end.session_id;
      if (end.status === "failed") setError((end.notes ?? ["The turn failed."]).join(" "));
    } catch (problem) {
      setError(problem.message);
      setDraft(message);
    }
    if (running.current === turn) setSaid(null);
    onEnd(turn.sessionId);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  const isWriting = said !== null;
  return html`<form class="chat" onSubmit=${send}>
    ${isWriting && html`<p class="said lines">${said}</p>
      <div aria-busy="true" aria-live="off">${reply ? html`<${Markdown} text=${reply} openLink=${link.openLink} />` : html`<p class="quiet">The model reads…</p>`}</div>`}
    ${error && html`<p role="alert" class="trouble lines">${error}</p>`}
    <label>Message<textarea rows="3" value=${draft} placeholder="Enter sends, Shift+Enter begins a line"
      onInput=${(event) => setDraft(event.target.value)} onKeyDown=${onKeyDown}></textarea></label>
    <p class="buttons"><button class="main" disabled=${isWriting || !draft.trim()}>Send</button></p>
  </form>`;
}
