/**
 * The thread of a part of a replay, as it is started: ahead if it can be, for loading what it needs takes a good part of a second.
 */
import { Worker } from 'node:worker_threads'

/** What the thread is started with. */
export interface PartWorkerData {
  /** The URL of a `MachineModule`. */
  machine: string
}

let ahead: { machine: string; worker: Worker } | undefined

/** Starts a thread for the first part that is asked for, and gives it. None may be: it does not keep the process. */
export function startPartWorker(machine: string): Worker {
  const worker = newWorker(machine)
  worker.unref()
  // What one that ended by itself had to say nobody has heard, so it is not given to who would wait for that.
  worker.once('error', () => {})
  worker.once('exit', () => {
    if (ahead?.worker === worker) ahead = undefined
  })
  ahead = { machine, worker }
  return worker
}

/** A thread that is to be sent a `PartData`; the caller ends it. */
export function partWorker(machine: string): Worker {
  if (ahead?.machine !== machine) return newWorker(machine)
  const { worker } = ahead
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
