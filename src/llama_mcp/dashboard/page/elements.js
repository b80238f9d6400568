// What every part of the page is made of: Preact and htm, vendored as one script.

export const { html, render, useState, useEffect, useRef } = htmPreact;
