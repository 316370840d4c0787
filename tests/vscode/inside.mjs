// Runs inside/suite.cjs in the extension host, with the real API. The extension is the packaged one; the one "under
// development" is only the driver, since VS Code takes tests for no other.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { config, main, mark, withVsCode } from "./harness.mjs";

const here = import.meta.dirname;

await main(() =>
  withVsCode({ env: { EVONIC_TEST_PYTHON: config.python } }, async ({ page, port, origin }) => {
    const workspace = join(config.work, "two.code-workspace");
    mkdirSync(config.work, { recursive: true });
    writeFileSync(workspace, JSON.stringify({ folders: [{ path: config.root }, { path: config.elsewhere }] }));
    const done = new Promise((resolve) => void page.exposeFunction("codeAutomationExit", resolve));
    await page.exposeFunction("codeAutomationLog", (type, args) => console.log(...(Array.isArray(args) ? args : [args])));
    const uri = (path) => `vscode-remote://127.0.0.1:${port}${path}`;
    const payload = [
      ["extensionDevelopmentPath", uri(join(here, "driver"))],
      ["extensionTestsPath", uri(join(here, "inside/suite.cjs"))],
      ["skipWelcome", "true"],
    ];
    await page.goto(`${origin}/?workspace=${encodeURIComponent(workspace)}&payload=${encodeURIComponent(JSON.stringify(payload))}`);
    const code = await done;
    await page.screenshot({ path: join(config.shots, "inside.png") });
    mark(`the suite ended with ${code}`);
    if (code !== 0) throw new Error("the suite failed");
  }),
);
