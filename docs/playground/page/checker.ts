// Calls the program in its worker. A call that takes too long, or a panic, ends the worker; the next call starts a new one.

import type { Calls, Request, Response } from './types';

/** Longer than any text takes that is checked. */
const TIMEOUT = 10_000;

/** Why a call has no answer. */
export class Stopped extends Error {}

interface Pending {
  resolve: (answer: never) => void;
  reject: (error: Stopped) => void;
  timer: number;
}

export class Checker {
  #module: WebAssembly.Module;
  #url: string;
  #worker: Worker | undefined;
  #pending = new Map<number, Pending>();
  #id = 0;

  /** `script` is the text of the worker. */
  constructor(module: WebAssembly.Module, script: string) {
    this.#module = module;
    this.#url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  }

  /** Calls the program. Rejects with `Stopped` if it has no answer. */
  call<C extends keyof Calls>(call: C, ...parameters: Calls[C]['arguments']): Promise<Calls[C]['answer']> {
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const timer = window.setTimeout(() => this.#stop(`no answer after ${TIMEOUT / 1000} seconds`), TIMEOUT);
      this.#pending.set(id, { resolve, reject, timer });
      worker.postMessage({ id, call, arguments: parameters } satisfies Request);
    });
  }

  #start(): Worker {
    const worker = new Worker(this.#url);
    worker.onmessage = ({ data }: MessageEvent<Response>) => {
      if ('panic' in data) {
        this.#stop(data.panic);
        return;
      }
      const pending = this.#pending.get(data.id);
      if (!pending) return;
      this.#pending.delete(data.id);
      clearTimeout(pending.timer);
      pending.resolve(data.answer as never);
    };
    worker.onerror = (event) => this.#stop(event.message || 'the program cannot be started');
    worker.postMessage({ module: this.#module } satisfies Request);
    return worker;
  }

  #stop(reason: string) {
    this.#worker?.terminate();
    this.#worker = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of pending) {
      clearTimeout(timer);
      reject(new Stopped(reason));
    }
  }
}
