import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

/** Saves while no server runs. The language client does not see those, and a server that starts asks for none. */
export class MissedSaves implements vscode.Disposable {
  private readonly documents = new Map<string, vscode.TextDocument>();
  private readonly listener: vscode.Disposable;

  constructor(selector: vscode.DocumentSelector, running: () => boolean) {
    this.listener = vscode.workspace.onDidSaveTextDocument((document) => {
      if (!running() && vscode.languages.match(selector, document) > 0) {
        this.documents.set(document.uri.toString(), document);
      }
    });
  }

  /** Tells a server that runs now, as far as it wants to hear of such files. */
  async tell(client: LanguageClient): Promise<void> {
    const saves = client.getFeature("textDocument/didSave");
    for (const [uri, document] of this.documents) {
      try {
        await saves.getProvider(document)?.send(document);
      } catch (error) {
        client.warn(`${uri} was saved, and the server could not be told: ${String(error)}`);
        return; // it has ended again; the next one is told
      }
      this.documents.delete(uri);
    }
  }

  dispose(): void {
    this.listener.dispose();
  }
}
