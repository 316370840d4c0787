/** Where the language server is: the setting, the selected interpreter, the PATH, the copy in this extension. */

import { execFile } from "node:child_process";
import * as path from "node:path";
import * as vscode from "vscode";
import { serverSetting } from "./settings";

/** A server that answered. `command` and `args` want `serve`, or another command of `evonic-lsp`, after them. */
export interface Server {
  how: "setting" | "interpreter" | "path" | "bundled";
  command: string;
  args: string[];
  version: string;
}

/** A place that was looked at, and why it was none. */
export interface Attempt {
  where: string;
  why: string;
}

export interface Found {
  server: Server | undefined;
  attempts: Attempt[];
}

// What the Python extension offers, as far as it is used here.
interface PythonApi {
  ready?: Promise<void>;
  environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(environment: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

const PYTHON_EXTENSION = "ms-python.python";
const PROBE_LIMIT = 20_000;
const PYTHONS =
  process.platform === "win32"
    ? [["py", "-3"], ["python"]]
    : ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"].map((name) => [name]);

/**
 * A folder of ours to run Python in. With `-m`, Python imports from the folder that it runs in first: in the
 * workspace, the project's own modules would take the place of the server's.
 */
export function neutralFolder(extension: string): string {
  return path.join(extension, "dist");
}

export async function findServer(extension: string): Promise<Found> {
  const attempts: Attempt[] = [];
  const cwd = neutralFolder(extension);
  const attempt = async (how: Server["how"], command: string, args: string[]): Promise<Server | undefined> => {
    const answer = await probe(command, args, cwd);
    if (answer.version === undefined) {
      attempts.push({ where: [command, ...args].join(" "), why: answer.why });
      return undefined;
    }
    return { how, command, args, version: answer.version };
  };

  const given = serverSetting();
  if (given !== undefined) {
    // Whoever names a server wants that one: no other takes its place.
    const isPython = /^py(thon[\d.]*)?(\.exe)?$/i.test(path.basename(given));
    return { server: await attempt("setting", given, isPython ? ["-m", "evonic_lsp"] : []), attempts };
  }
  const interpreter = await selectedInterpreter();
  const server =
    (interpreter && (await attempt("interpreter", interpreter, ["-m", "evonic_lsp"]))) ??
    (await attempt("path", "evonic-lsp", []));
  if (server) {
    return { server, attempts };
  }
  const launcher = path.join(extension, "bundled", "run.py");
  for (const [python = "", ...args] of [...(interpreter ? [[interpreter]] : []), ...PYTHONS]) {
    const bundled = await attempt("bundled", python, [...args, launcher]);
    if (bundled) {
      return { server: bundled, attempts };
    }
  }
  return { server: undefined, attempts };
}

/** Calls `changed` whenever another interpreter is selected, if the Python extension is there. */
export async function watchInterpreter(changed: () => void): Promise<vscode.Disposable> {
  const python = await pythonApi();
  return python?.environments.onDidChangeActiveEnvironmentPath(changed) ?? new vscode.Disposable(() => undefined);
}

export function hasPythonExtension(): boolean {
  return vscode.extensions.getExtension(PYTHON_EXTENSION) !== undefined;
}

async function selectedInterpreter(): Promise<string | undefined> {
  const python = await pythonApi();
  const resource = vscode.workspace.workspaceFolders?.[0]?.uri;
  try {
    const active = python?.environments.getActiveEnvironmentPath(resource);
    const environment = active && (await python?.environments.resolveEnvironment(active));
    return environment?.executable.uri?.fsPath;
  } catch {
    return undefined; // an environment that has been removed
  }
}

async function pythonApi(): Promise<PythonApi | undefined> {
  try {
    const api = await vscode.extensions.getExtension<PythonApi | undefined>(PYTHON_EXTENSION)?.activate();
    await api?.ready;
    // An extension that only looks like it has no `environments`.
    return (api as Partial<PythonApi> | undefined)?.environments ? api : undefined;
  } catch {
    return undefined; // it could not be activated, which it tells itself
  }
}

function probe(command: string, args: string[], cwd: string): Promise<{ version: string | undefined; why: string }> {
  return new Promise((resolve) => {
    execFile(command, [...args, "--version"], { cwd, timeout: PROBE_LIMIT }, (error, stdout, stderr) => {
      const version = /evonic-lsp, version (\S+)/.exec(stdout)?.[1];
      const said = stderr.trim().split(/\r?\n/).at(-1);
      resolve({ version: error ? undefined : version, why: why(error, said) });
    });
  });
}

function why(error: (Error & { code?: unknown; killed?: boolean }) | null, said: string | undefined): string {
  if (error?.code === "ENOENT") {
    return "there is no such program";
  }
  if (error?.killed) {
    return `it did not answer within ${PROBE_LIMIT / 1000} s`;
  }
  return said || error?.message || "it is not evonic-lsp";
}
