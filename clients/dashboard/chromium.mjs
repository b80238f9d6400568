// Headless Chromium, which reaches nothing but this machine.

import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
export const PATIENCE_MS = 120_000;

export function chromiumPath() {
  return process.env.CHROMIUM ?? PATHS.find((path) => existsSync(path));
}

export async function openBrowser() {
  return puppeteer.launch({
    executablePath: chromiumPath(),
    headless: true,
    protocolTimeout: PATIENCE_MS,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
      "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    ],
  });
}

// What went wrong in a page, and what it asked for.
export function watch(page) {
  const seen = { errors: [], requests: new Set() };
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") seen.errors.push(message.text());
  });
  page.on("dialog", (dialog) => {
    seen.errors.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => seen.requests.add(request.url().split("#")[0]));
  return seen;
}

// Actions in a page or in one of its frames, by what people see.
export function hands(frame) {
  const has = (text, selector) => frame.waitForFunction(
    (wanted, where) => [...document.querySelectorAll(where)].some((each) => each.innerText.includes(wanted)),
    { timeout: PATIENCE_MS, polling: 100 }, text, selector ?? "main",
  );
  const press = async (text, selector = "button") => {
    await has(text, selector);
    await frame.evaluate((wanted, where) => {
      [...document.querySelectorAll(where)].find((each) => each.innerText.includes(wanted)).click();
    }, text, selector);
  };
  const gone = (text) => frame.waitForFunction(
    (wanted) => !document.querySelector("main").innerText.includes(wanted), { timeout: PATIENCE_MS, polling: 100 }, text,
  );
  return {
    has, press, gone,
    tab: (name) => frame.evaluate((wanted) => document.querySelector(`[data-tab="${wanted}"]`).click(), name),
    state: (name) => has(name, ".state"),
    text: () => frame.evaluate(() => document.querySelector("main").innerText),
    fill: async (selector, text) => {
      await frame.waitForSelector(selector, { timeout: PATIENCE_MS });
      await frame.click(selector, { count: 3 });
      await frame.type(selector, text);
    },
  };
}
