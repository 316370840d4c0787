/** The logs of plugins, each in a channel of its own. The server tells of new lines once it was asked for a log. */

import * as vscode from "vscode";
import { ENDPOINT, type LogEntry, type Ref } from "./types";

export class PluginLogs implements vscode.Disposable {
  private readonly channels = new Map<string, vscode.OutputChannel>();
  // Lines that come while the log is still being asked for.
  private readonly early = new Map<string, LogEntry[]>();

  /** `ask` gets the lines that a plugin has logged so far. */
  constructor(private readonly ask: (ref: Ref) => Promise<LogEntry[]>) {}

  async show(ref: Ref): Promise<void> {
    const name = key(ref);
    const early: LogEntry[] = [];
    this.early.set(name, early);
    try {
      const entries = await this.ask(ref);
      const known = new Set(entries.map(line));
      const channel = this.channel(ref);
      const lines = [...entries.map(line), ...early.map(line).filter((each) => !known.has(each))];
      channel.replace(lines.map((each) => `${each}\n`).join("") || `${ref.plugin} has logged nothing yet.\n`);
      channel.show(true);
    } finally {
      this.early.delete(name);
    }
  }

  /** A new line, of a plugin that was asked for. */
  add(root: string, entry: LogEntry): void {
    const name = key({ root, plugin: entry.plugin });
    const early = this.early.get(name);
    if (early) {
      early.push(entry);
    } else {
      this.channels.get(name)?.appendLine(line(entry));
    }
  }

  dispose(): void {
    this.channels.forEach((channel) => channel.dispose());
    this.channels.clear();
  }

  private channel(ref: Ref): vscode.OutputChannel {
    let channel = this.channels.get(key(ref));
    if (channel === undefined) {
      const namesakes = [...this.channels.keys()].some((each) => each.endsWith(`\n${ref.plugin}`));
      const where = namesakes ? ` (${ref.root.replace(ENDPOINT, "")})` : "";
      channel = vscode.window.createOutputChannel(`Evonic: ${ref.plugin}${where}`, "log");
      this.channels.set(key(ref), channel);
    }
    return channel;
  }
}

function key({ root, plugin }: Ref): string {
  return `${root}\n${plugin}`;
}

function line({ timestamp, level, message }: LogEntry): string {
  return `${timestamp} [${level}] ${message}`;
}
