/** What the language server says, as it is on the wire. */

export interface Place {
  file: string;
  startLine: number;
  startColumn: number;
  endLine: number;
  endColumn: number;
  plugin: string | null;
}

export interface Problem {
  code: string;
  message: string;
  severity: string;
  place: Place | null;
}

export interface Outcome {
  plugin: string;
  status: string;
  message: string;
  durationMs: number;
  generation: number | null;
  /** When the generation that serves was loaded, in seconds since the epoch. */
  loadedAt: number | null;
  /** When the reload ended, in seconds since the epoch. */
  at: number;
  problems: Problem[];
}

export interface PluginInfo {
  id: string;
  name: string;
  version: string;
  enabled: boolean;
  hotreload: boolean;
  generation: number | null;
  loadedAt: number | null;
  outcome: Outcome | null;
}

export interface HostStatus {
  root: string;
  pluginsDir: string;
  version: string;
  bridge: string;
  pid: number;
  enabled: boolean;
  plugins: PluginInfo[];
  degraded: string[];
}

/** A host that the server knows. `root` is its folder, or `endpoint:` and an endpoint; `status` is null while it
 * does not answer, and `message` says why. */
export interface HostEntry {
  root: string;
  status: HostStatus | null;
  message: string;
  code: number | null;
}

/** A plugin of a host. */
export interface Ref {
  root: string;
  plugin: string;
}

/** The answer to `evonic.status` for all hosts. */
export interface Overview {
  version: string;
  hosts: HostEntry[];
  current: Ref | null;
}

/** `evonic/status`. Without a plugin it is about the connection. */
export interface StatusParams {
  state: "disconnected" | "idle" | "pending" | "reloading" | "ok" | "failed";
  message: string;
  plugin: string | null;
  durationMs: number | null;
  generation: number | null;
}

/** The answer to `evonic.replay`; `message` is there unless it was cancelled. */
export interface Replayed {
  plugin: string;
  status: "cancelled" | "done" | "failed" | "running";
  message?: string;
}

export interface LogEntry {
  plugin: string;
  timestamp: string;
  level: string;
  message: string;
}

export const ENDPOINT = "endpoint:";
export const WRONG_PROTOCOL = -32001;
const FAILED = ["rejected", "rolled back", "stuck"];

export function failed(outcome: Outcome | null): boolean {
  return outcome !== null && FAILED.includes(outcome.status);
}
