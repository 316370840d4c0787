/** The bridge in Evonic: put there, and kept at the version of the server. */

import { execFile } from "node:child_process";
import * as path from "node:path";
import * as vscode from "vscode";
import type { Controller } from "./controller";
import { neutralFolder } from "./find";
import { progress, say } from "./log";
import type { Model } from "./model";
import { isOlder } from "./text";
import { ENDPOINT } from "./types";
import { isEvonic, rootsHere } from "./where";

const LIMIT = 180_000;
// The extension itself never runs pip: whoever owns a name on PyPI would run code here.
const NEWER_EXTENSION =
  "For a newer one, run `git pull` in your clone of evonic-lsp and `npm run package` in its editors/vscode, and install the vsix.";
const NEWER_SERVER =
  "For a newer one, run `git pull` and `pip install --upgrade .` in your clone of evonic-lsp, then restart the server.";

export class Bridge {
  private readonly told = new Set<string>();

  constructor(
    private readonly extension: string,
    private readonly controller: Controller,
    private readonly model: Model,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Installs or upgrades the bridge in `root`, or in the Evonic that the person chooses. */
  async install(root?: string): Promise<void> {
    if (this.controller.server === undefined) {
      await this.controller.restart(); // which says what is missing, if it still is
    }
    const { server } = this.controller;
    if (server === undefined) {
      return;
    }
    const folder = root ?? (await this.chooseRoot());
    if (folder === undefined) {
      return;
    }
    const title = `Installing the bridge into ${path.basename(folder)}`;
    const done = await progress(title, () =>
      run(server.command, [...server.args, "install", folder], neutralFolder(this.extension)),
    );
    this.log.info(`evonic-lsp install ${folder}: exit ${done.status}\n${done.output}`);
    void this.report(done);
    await this.model.refresh();
  }

  /** Compares the versions, and offers what makes them the same; once for each host and version. */
  check(): void {
    for (const { root, status } of this.model.hosts) {
      const { version } = this.model.overview;
      const key = `${root}\n${status.bridge}\n${version}`;
      if (status.bridge !== version && !this.told.has(key)) {
        this.told.add(key);
        void this.offer(root, status.bridge, version);
      }
    }
  }

  private async offer(root: string, bridge: string, version: string): Promise<void> {
    const versions = `The Evonic at ${root} has the bridge ${bridge}, this editor evonic-lsp ${version}.`;
    if (isOlder(bridge, version)) {
      const buttons = root.startsWith(ENDPOINT) ? [] : ["Upgrade the Bridge"];
      if (await say("info", this.log, versions, ...buttons)) {
        await this.install(root);
      }
    } else {
      const how = this.controller.server?.how === "bundled" ? NEWER_EXTENSION : NEWER_SERVER;
      await say("info", this.log, `${versions} ${how}`);
    }
  }

  private async report({ status, output }: { status: number; output: string }): Promise<void> {
    const lines = output.trim().split(/\r?\n/);
    const told = lines.map((line) => /^next: (.*)/.exec(line)?.[1]).find((line) => line !== undefined);
    if (status === 0) {
      const next = told?.startsWith("nothing") ? "" : ` Next: ${told ?? "restart Evonic"}`;
      await say("info", this.log, `The bridge is installed.${next}`);
    } else {
      await say("error", this.log, lines.at(0) || "The command failed and said nothing.");
    }
  }

  private async chooseRoot(): Promise<string | undefined> {
    const known = this.model.overview.hosts.map(({ root }) => root).filter((root) => !root.startsWith(ENDPOINT));
    const roots = [...new Set([...known, ...(await rootsHere())])];
    if (roots.length === 1) {
      return roots[0];
    }
    const other = "Choose a folder…";
    const ask = { title: "Which Evonic?" };
    const chosen = roots.length === 0 ? other : await vscode.window.showQuickPick([...roots, other], ask);
    return chosen === other ? this.openRoot() : chosen;
  }

  private async openRoot(): Promise<string | undefined> {
    const options = { canSelectFiles: false, canSelectFolders: true, openLabel: "Install the Bridge Here" };
    const [folder] = (await vscode.window.showOpenDialog({ ...options, title: "The folder of an Evonic" })) ?? [];
    if (folder !== undefined && !isEvonic(folder.fsPath)) {
      const hint = "choose the folder that holds `evonic` and `app.py`";
      void say("error", this.log, `${folder.fsPath} is not an Evonic: ${hint}.`);
      return undefined;
    }
    return folder?.fsPath;
  }
}

function run(command: string, args: string[], cwd: string): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, timeout: LIMIT }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ status, output: `${stderr}${stdout}` || (error?.message ?? "") });
    });
  });
}
