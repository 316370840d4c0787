/** Plugins in words. */

import { failed, type HostStatus, type PluginInfo } from "./types";

/** The state of a plugin in one or two words. */
export function stateOf(info: PluginInfo, host: HostStatus): string {
  if (!info.enabled) {
    return "disabled in Evonic";
  }
  if (failed(info.outcome)) {
    return info.outcome?.status === "stuck" ? "stuck" : "failed";
  }
  if (!info.hotreload) {
    return "hot reload off";
  }
  return host.enabled ? "hot reload on" : "hot reload off for all";
}

/** The state, the generation and the last reload. */
export function describe(info: PluginInfo, host: HostStatus): string {
  const parts = [stateOf(info, host)];
  if (info.generation !== null) {
    parts.push(`generation ${info.generation}`);
  }
  if (info.outcome !== null) {
    parts.push(`${clock(info.outcome.at)} (${info.outcome.durationMs.toFixed(0)} ms)`);
  }
  return parts.join(" · ");
}

/** Which version serves while the one on the disk does not load. */
export function since(info: PluginInfo): string {
  return info.loadedAt === null ? "nothing of it serves" : `the version of ${clock(info.loadedAt)} serves`;
}

/**
 * A text that is not ours, for where VS Code makes links of `[label](command:…)` (notifications, progress, the language
 * status) or icons of `$(name)` (the status bar, quick picks): it is only read there, and does nothing.
 */
export function inert(text: string): string {
  return text.replace(/[\]$](?=\()/g, "$& ");
}

/** A time of day in the way of the person's country. */
export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString();
}

/** Whether the version `one` is before `other`; dotted numbers, anything else after them is left aside. */
export function isOlder(one: string, other: string): boolean {
  const numbers = (version: string): number[] => version.split(".").map((part) => parseInt(part, 10) || 0);
  const [a, b] = [numbers(one), numbers(other)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) {
      return (a[i] ?? 0) < (b[i] ?? 0);
    }
  }
  return false;
}
