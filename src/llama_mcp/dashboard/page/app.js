// The whole page: a look at llama-mcp each second, and what the person who sees it can do.

import { html, render, useEffect, useRef, useState } from "./elements.js";
import { askFor, nothingSeen, takeLook } from "./looks.js";
import { isAwake, pause, sleepForGood, watchAttention } from "./attention.js";
import { connectByHttp, keyOfPage } from "./http_link.js";
import { connectToHost } from "./host_link.js";
import { Ended, Head, Plots, Slots, Tiles, Troubles, UnderWay } from "./now.js";
import { Conversations } from "./conversations.js";
import { Models } from "./models.js";
import { Log } from "./log.js";
import { Setup } from "./setup.js";
import { Tabs } from "./tabs.js";

const LOOK_MS = 1000;
const VIEWS = ["Now", "Conversations", "Models", "Log", "Setup"];
const ABOUT = { name: "llama-mcp dashboard", version: "1" };

function App({ link, isInline }) {
  const seen = useRef(nothingSeen());
  const [, setLooks] = useState(0);
  const [error, setError] = useState(null);
  const [doing, setDoing] = useState("");
  const [chosen, setChosen] = useState(null);
  const [view, setView] = useState("Now");

  const look = async () => {
    try {
      const { data } = await link.call("dashboard_snapshot", askFor(seen.current));
      seen.current = takeLook(seen.current, data);
      setError((known) => (known?.isOfLook ? null : known));
    } catch (problem) {
      setError({ what: "llama-mcp does not answer", text: problem.message, isOfLook: true });
    }
    setLooks((count) => count + 1);
  };
  useEffect(() => {
    let isOver = false;
    (async () => {
      while (!isOver) {
        await look();
        await pause(LOOK_MS);
      }
    })();
    return () => { isOver = true; };
  }, []);
  const act = async (what, tool, args) => {
    setDoing(what);
    setError(null);
    try {
      const result = await link.call(tool, args);
      link.tellModel?.(`The user pressed ${what} in the dashboard. ${result.text}`).catch(() => {});
      await look();
      return result;
    } catch (problem) {
      setError({ what: `${what} has failed`, text: problem.message });
      return null;
    } finally {
      setDoing("");
    }
  };
  // A conversation has room in the whole window only.
  const open = isInline && !link.show ? null : (sessionId) => {
    setChosen(sessionId);
    setView("Conversations");
    if (isInline) link.show("fullscreen").catch(() => {});
  };
  const shown = { link, act, open, chosen, choose: setChosen, seen: seen.current, isInline };
  const { snapshot } = seen.current;
  return html`
    ${snapshot ? html`<${Head} status=${snapshot.status} isBusy=${doing !== ""} act=${act} />` : html`<p>Looking…</p>`}
    <${Troubles} status=${snapshot?.status} problems=${snapshot?.problems ?? []} error=${error} clear=${() => setError(null)} />
    ${snapshot && !isInline && html`<${Tabs} names=${VIEWS} chosen=${view} choose=${setView} />`}
    ${snapshot && html`<div id="view" ...${isInline ? { class: "short" } : { role: "tabpanel", "aria-labelledby": `tab-${view}` }}>${viewOf(isInline ? "Now" : view, shown)}</div>`}
    <footer class="quiet">llama-mcp in ${link.place} <span aria-live="polite">${doing && `${doing}…`}</span>
      ${isInline && link.show && html`<button class="link" onClick=${() => link.show("fullscreen").catch(() => {})}>Whole window</button>`}</footer>`;
}

function viewOf(view, shown) {
  const { link, act, open, chosen, choose, seen, isInline } = shown;
  const { snapshot, ended } = seen;
  const version = `${ended.length}/${snapshot.turns.length}/${snapshot.status.state}`;
  if (view === "Conversations") return html`<${Conversations} link=${link} chosen=${chosen} choose=${choose} act=${act} version=${version} />`;
  if (view === "Models") return html`<${Models} link=${link} act=${act} version=${version} />`;
  if (view === "Log") return html`<${Log} link=${link} isAwake=${isAwake} />`;
  if (view === "Setup") return html`<${Setup} link=${link} />`;
  const cancel = (sessionId) => act("Cancel", "cancel_reply", { session_id: sessionId });
  return html`<${Tiles} seen=${seen} isShort=${isInline} />
    <${UnderWay} turns=${snapshot.turns} open=${open} cancel=${cancel} isShort=${isInline} />
    ${!isInline && html`<${Slots} slots=${snapshot.slots} />`}
    <${Plots} seen=${seen} isShort=${isInline} />
    ${!isInline && html`<${Ended} turns=${ended} open=${open} now=${snapshot.at} />`}`;
}

// Theme, language and colours of the host.
function dress(context) {
  const root = document.documentElement;
  if (context.theme) root.style.colorScheme = context.theme;
  if (context.locale) root.lang = context.locale;
  for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
    if (name.startsWith("--") && typeof value === "string") root.style.setProperty(name, value);
  }
}

async function begin() {
  const app = document.getElementById("app");
  const show = (link, isInline) => {
    app.removeAttribute("aria-busy");
    render(html`<${App} link=${link} isInline=${isInline} />`, app);
  };
  watchAttention();
  try {
    if (document.documentElement.dataset.link === "http") {
      app.replaceChildren();
      show(await connectByHttp(ABOUT, keyOfPage()), false);
      return;
    }
    let link = null;
    let mode = "inline";
    const context = (told) => {
      dress(told);
      mode = told.displayMode ?? mode;
      if (link) show(link, mode === "inline");
    };
    link = await connectToHost(ABOUT, { context, teardown: sleepForGood });
    app.replaceChildren();
    show(link, mode === "inline");
  } catch (problem) {
    app.textContent = `There is no connection: ${problem.message}`;
  }
}

begin();
