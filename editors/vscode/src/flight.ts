/**
 * One run of `work` at a time. Asked again while it runs, it runs once more afterwards, however often it was asked;
 * each caller's promise ends with a run that began after they asked.
 */
export class SingleFlight {
  private current: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(private readonly work: () => Promise<void>) {}

  run(): Promise<void> {
    if (this.current === undefined) {
      this.current = this.work().finally(() => (this.current = undefined));
      return this.current;
    }
    this.next ??= this.current
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.run();
      });
    return this.next;
  }
}
