// Whether somebody can see the page. Chats keep old pages for ever: these must ask for nothing.

let isInSight = true;
let wake = () => {};

export function isAwake() {
  return isInSight && !document.hidden;
}

export function watchAttention() {
  const look = () => { if (isAwake()) wake(); };
  document.addEventListener("visibilitychange", look);
  if (!globalThis.IntersectionObserver) return;
  new IntersectionObserver((entries) => {
    isInSight = entries.at(-1).isIntersecting;
    look();
  }).observe(document.documentElement);
}

// Nobody comes back to a page that its host takes down.
export function sleepForGood() {
  isInSight = false;
  wake = () => {};
}

// Waits so long, and on until somebody can see the page.
export async function pause(milliseconds) {
  await new Promise((go) => setTimeout(go, milliseconds));
  while (!isAwake()) await new Promise((go) => { wake = go; });
}
