/**
 * Draws the pictures of the dashboard in docs/, from real views with the starter model.
 *
 *     node pictures.mjs COMMAND FOLDER
 *
 * A picture is the page's own elements in an SVG: text that can be compared, and no binary file.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { hands, openBrowser } from "./chromium.mjs";
import { callTool } from "./other_client.mjs";

const WIDTH = 960;
const TALK = [
  ["What is the capital of France?"],
  ["Write two sentences about llamas.", "And one about their wool."],
  ["Name three planets."],
];
const [command, folder] = process.argv.slice(2);
const server = spawn(command, ["dashboard", "--no-browser"], { stdio: ["ignore", "pipe", "inherit"] });
const browser = await openBrowser();
try {
  const [address] = await once(createInterface(server.stdout), "line");
  const page = await browser.newPage();
  const hand = hands(page);
  await page.setViewport({ width: WIDTH, height: 700 });
  await page.goto(address);
  await talk(new URL(address));
  await hand.state("ready");
  await hand.has("Name three planets", "table");
  await draw(page, "now");
  await hand.tab("Conversations");
  await hand.press("two sentences", ".rows .link");
  await hand.has("wool", ".turn");
  await draw(page, "conversation");
  await hand.tab("Models");
  await hand.has("running", ".rows");
  await draw(page, "models");
} finally {
  await browser.close();
  server.kill("SIGINT");
  await once(server, "exit");
}

async function talk(url) {
  for (const messages of TALK) {
    let session = {};
    for (const message of messages) {
      const asked = { message, max_tokens: 60, temperature: 0, wait_seconds: 600, ...session };
      session = { session_id: (await callTool(url, "chat", asked)).structuredContent.session_id };
    }
  }
}

async function draw(page, name) {
  await page.evaluate(() => document.activeElement?.blur());
  const [style, main, height] = await page.evaluate(() => [
    document.querySelector("style").textContent,
    new XMLSerializer().serializeToString(document.querySelector("main")),
    Math.ceil(document.querySelector("main").getBoundingClientRect().height),
  ]);
  const shown = main.replace(/http:\/\/127\.0\.0\.1:\d+/g, "http://127.0.0.1:8080");
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
<title>The dashboard of llama-mcp: ${name}</title>
<style>${style}</style>
<rect width="100%" height="100%" style="fill:var(--back)"/>
<foreignObject width="100%" height="100%">${shown}</foreignObject>
</svg>
`;
  writeFileSync(`${folder}/dashboard-${name}.svg`, picture);
}
