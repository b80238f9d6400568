import assert from "node:assert/strict";
import { test } from "node:test";
import { elementsOf, load, textOf } from "./page.mjs";

const { Markdown } = await load("markdown.js");
const ALLOWED = new Set(
  "div p span a code pre ul ol li del strong em blockquote br hr table thead tbody tr th td".split(" "),
);
const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(1)>",
  '<iframe srcdoc="<script>alert(1)</script>">',
  "<style>*{display:none}</style>",
  '<base href="https://elsewhere.example">',
  '<meta http-equiv="refresh" content="0;url=https://elsewhere.example">',
  '<form action="https://elsewhere.example"><button>x</button></form>',
  "<math><mtext></mtext></math><details ontoggle=alert(1) open>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](  javascript:alert(1))",
  "[x](java\tscript:alert(1))",
  "[x](javascript&colon;alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](data:text/html,<script>alert(1)</script>)",
  "[x](vbscript:msgbox(1))",
  "[x](file:///etc/passwd)",
  "[x](\u0001javascript:alert(1))",
  "![x](https://elsewhere.example/pixel.png)",
  "[a]: javascript:alert(1)\n\n[x][a]",
  "<javascript:alert(1)>",
  "`</script><script>alert(1)</script>`",
  "</script>",
  "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
  "\u202Etxt.exe",
  "# <b>title</b>",
  '[x](https://ok.example "onclick=alert(1)")',
];

function attributesOf(element) {
  return Object.keys(element.props).filter((name) => name !== "children");
}

test("whatever a reply says, only harmless elements and links come of it", () => {
  for (const text of HOSTILE) {
    for (const element of elementsOf(Markdown({ text }))) {
      assert.ok(ALLOWED.has(element.type), `${element.type} of ${text}`);
      const dangerous = attributesOf(element).filter((name) => /^on/i.test(name) && element.props[name] !== null);
      assert.deepEqual(dangerous, [], text);
      if (element.type === "a") assert.match(element.props.href, /^(https?:|mailto:)/i, text);
      assert.ok(!("src" in element.props) && !("style" in element.props) && !("dangerouslySetInnerHTML" in element.props), text);
    }
  }
});

test("markup in a reply is shown as what was written", () => {
  assert.ok(textOf(Markdown({ text: "<script>alert(1)</script>" })).includes("<script>alert(1)</script>"));
  assert.equal(textOf(Markdown({ text: "a < b && c > \"d\"" })), 'a < b && c > "d"');
  assert.equal(textOf(Markdown({ text: "`&lt;`" })), "&lt;");
});

test("a picture is never fetched: it is a link with its name", () => {
  const [link] = elementsOf(Markdown({ text: "![cat](https://elsewhere.example/cat.png)" })).filter((each) => each.type === "a");
  assert.equal(textOf(link), "[image: cat]");
  assert.match(link.props.rel, /noopener/);
});

test("lists, tables, code and emphasis become what they are", () => {
  const text = "1. one\n2. **two**\n\n| a | b |\n|---|---|\n| 1 | `2` |\n\n```js\nlet x;\n```\n\n- [x] done\n";
  const types = new Set(elementsOf(Markdown({ text })).map((element) => element.type));
  for (const type of ["ol", "li", "strong", "table", "th", "td", "code", "pre", "ul"]) assert.ok(types.has(type), type);
});

test("text that is nested without end is still shown", () => {
  for (const text of [">".repeat(3000), "[".repeat(3000), "*".repeat(3000) + "a", "- ".repeat(300) + "deep"]) {
    assert.ok(elementsOf(Markdown({ text })).length > 0);
  }
});

test("a link is opened by the host where there is one", () => {
  const opened = [];
  const [link] = elementsOf(Markdown({ text: "[x](https://ok.example)", openLink: (url) => opened.push(url) })).filter((each) => each.type === "a");
  let isPrevented = false;
  link.props.onClick({ preventDefault: () => { isPrevented = true; } });
  assert.deepEqual([opened, isPrevented], [["https://ok.example"], true]);
});
