import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

const FOR_SERVER = ["endpoint", "debounce", "reloadOnSave", "optIn"] as const;

/** What the language server is told: at its start, when it asks, and at each change. */
export function settingsForServer(): Record<string, unknown> {
  const settings = vscode.workspace.getConfiguration("evonic");
  const told: Record<string, unknown> = { root: rootSetting() ?? "" };
  for (const key of FOR_SERVER) {
    told[key] = settings.get(key);
  }
  return told;
}

/** The setting `evonic.root` as an absolute path. The server runs elsewhere, so a relative one means nothing to it. */
export function rootSetting(): string | undefined {
  return asPath(vscode.workspace.getConfiguration("evonic").get<string>("root"));
}

/** The setting `evonic.server.path`; a bare name is left to the PATH. */
export function serverSetting(): string | undefined {
  const given = vscode.workspace.getConfiguration("evonic.server").get<string>("path")?.trim();
  return given === undefined || given === "" || /[\\/]/.test(given) ? asPath(given) : given;
}

function asPath(given: string | undefined): string | undefined {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? os.homedir();
  const text = given?.trim().replaceAll("${workspaceFolder}", folder).replace(/^~(?=[\\/]|$)/, os.homedir());
  return text === undefined || text === "" ? undefined : path.resolve(folder, text);
}
