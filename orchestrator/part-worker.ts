/**
 * The thread of a part of a replay, as it is started: ahead if it can be, for loading what it needs takes a good part of a second.
 */
import { Worker } from 'node:worker_threads'

/** What the thread is started with. */
export interface PartWorkerData {
  /** The URL of a `MachineModule`. */
  machine: string
}

let ahead: Worker | undefined

/** Starts a thread for the first part that is asked for. None may be: it does not keep the process. */
export function startPartWorker(machine: string): void {
  const worker = newWorker(machine)
  worker.unref()
  // One that failed by itself is of no use; whoever has it by then hears of it too.
  worker.once('error', () => {
    if (ahead === worker) ahead = undefined
  })
  ahead = worker
}

/** A thread that is to be sent a `PartData`; the caller ends it. */
export function partWorker(machine: string): Worker {
  const worker = ahead ?? newWorker(machine)
  ahead = undefined
  worker.ref()
  return worker
}

function newWorker(machine: string): Worker {
  const workerData: PartWorkerData = { machine }
  // What a machine's module may say is said by the first part already.
  const options = { workerData, stdout: true, stderr: true }
  return new Worker(new URL('./replay-thread.ts', import.meta.url), options)
}
