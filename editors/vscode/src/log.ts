import * as vscode from "vscode";
import { inert } from "./text";

const LINE = /^\[(Trace|Debug|Info|Warn|Error)\s*-[^\]]*\]\s*/;

/**
 * The log channel as the language client wants it. The client writes its own level and time before each line; both
 * are the channel's business, which has levels that can be filtered.
 */
export class ClientLog implements vscode.OutputChannel {
  private rest = "";

  constructor(private readonly log: vscode.LogOutputChannel) {}

  get name(): string {
    return this.log.name;
  }

  append(text: string): void {
    const lines = (this.rest + text).split(/\r?\n/);
    this.rest = lines.pop() ?? "";
    lines.forEach((line) => this.appendLine(line));
  }

  appendLine(text: string): void {
    const level = LINE.exec(text)?.[1];
    const said = text.replace(LINE, "").trimEnd();
    if (said === "") {
      return;
    }
    if (level === "Error") {
      this.log.error(said);
    } else if (level === "Warn") {
      this.log.warn(said);
    } else {
      this.log.info(said);
    }
  }

  replace(text: string): void {
    this.appendLine(text);
  }

  clear(): void {
    this.log.clear();
  }

  show(): void {
    this.log.show(true);
  }

  hide(): void {
    this.log.hide();
  }

  dispose(): void {
    // The channel belongs to the extension and outlives every client.
  }
}

/** A message with buttons; the last one, which all of ours have, shows the log. What it quotes makes no links. */
export async function say(
  kind: "info" | "warning" | "error",
  log: vscode.LogOutputChannel,
  message: string,
  ...buttons: string[]
): Promise<string | undefined> {
  const show = {
    info: vscode.window.showInformationMessage,
    warning: vscode.window.showWarningMessage,
    error: vscode.window.showErrorMessage,
  }[kind];
  log[kind === "warning" ? "warn" : kind](message);
  const answer = await show(inert(message), ...buttons, "Show Log");
  if (answer === "Show Log") {
    log.show();
    return undefined;
  }
  return answer;
}

/** What `work` comes to; `title` is in front of the person until then, and what it quotes makes no links. */
export function progress<T>(title: string, work: () => Promise<T>): Thenable<T> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: inert(title) }, work);
}
