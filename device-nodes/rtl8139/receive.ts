/**
 * How an RTL8139C receives: whom a frame is for, and where it goes in the ring of bytes. "RTL8139C(L)", Realtek, revision 1.4, "Receive
 * configuration register", and "Receive status register in Rx packet header".
 *
 *   CAPR + 16            CBR                   Each frame begins at a multiple of 4 with its status and its length, 16 bits each; the
 *       | frames to read  |  free ...  |       length is that with its check sequence.
 */
import { destinationCheck, isForAll, isForGroup, LEAST_FRAME_BYTES, withCheck } from '../ethernet/mod.ts'
import { dmaWrite, type Sequence } from '../sdk/mod.ts'
import { RCR, RCR_RBLEN, RECEIVED, RECEIVED_HEADER_BYTES } from './registers.ts'

/** CAPR is that much before what software reads next. */
const CAPR_LEAD_BYTES = 16
const LEAST_RING_BYTES = 8192
/** The largest ring has nothing behind it. */
const MOST_RING_BYTES = 65_536
/** Where the registers are that it is asked for. */
const IDR = 0
const MAR = 8

export interface ReceiveRing {
  bytes: number
  /** Where the next frame goes. */
  end: number
  freeBytes: number
  isEmpty: boolean
  /** A frame goes on behind the ring's end rather than at its start. */
  overruns: boolean
}

export function receiveRing(rcr: number, capr: number, cbr: number): ReceiveRing {
  const bytes = LEAST_RING_BYTES << ((rcr & RCR_RBLEN.mask) >> RCR_RBLEN.shift)
  const end = cbr % bytes
  const used = (end - capr - CAPR_LEAD_BYTES) & (bytes - 1)
  const overruns = (rcr & RCR.WRAP) !== 0 && bytes < MOST_RING_BYTES
  return { bytes, end, freeBytes: bytes - used, isEmpty: used === 0, overruns }
}

/** Why a frame is taken, as its status says it; undefined: it is not. `byteOf` gives the bytes of IDR and MAR. */
export function matchFrame(frame: Uint8Array, rcr: number, byteOf: (offset: number) => number): number | undefined {
  const isRunt = frame.length < LEAST_FRAME_BYTES
  if (isRunt && (rcr & RCR.AR) === 0) return undefined
  const status = RECEIVED.ROK | (isRunt ? RECEIVED.RUNT : 0)
  if (isForAll(frame)) return rcr & RCR.AB ? status | RECEIVED.BAR : undefined
  if (isForGroup(frame)) {
    const bit = hashOf(frame)
    const isListed = ((byteOf(MAR + (bit >> 3)) >> (bit & 7)) & 1) !== 0
    return rcr & RCR.AM && isListed ? status | RECEIVED.MAR : undefined
  }
  const isForHere = frame.subarray(0, 6).every((byte, i) => byte === byteOf(IDR + i))
  if (isForHere && rcr & (RCR.APM | RCR.AAP)) return status | RECEIVED.PAM
  return rcr & RCR.AAP ? status : undefined
}

/** The upper six bits of the check sequence as it is sent, first bit first. */
function hashOf(frame: Uint8Array): number {
  const check = destinationCheck(frame)
  let hash = 0
  for (let i = 0; i < 6; i++) hash = (hash << 1) | ((check >>> i) & 1)
  return hash
}

/** Puts a frame into the ring at `start`. Gives where the next one goes; undefined: there is no room. */
export function* putFrame(
  frame: Uint8Array,
  status: number,
  { bytes, end, freeBytes, overruns }: ReceiveRing,
  start: number,
): Sequence<number | undefined> {
  const content = withCheck(frame, status & RECEIVED.RUNT ? frame.length : undefined)
  const record = new Uint8Array(RECEIVED_HEADER_BYTES + content.length)
  const header = new DataView(record.buffer)
  header.setUint16(0, status, true)
  header.setUint16(2, content.length, true)
  record.set(content, RECEIVED_HEADER_BYTES)
  const room = (record.length + 3) & ~3
  // A ring that is full would look like an empty one.
  if (room >= freeBytes) return undefined
  const first = overruns ? record.length : Math.min(record.length, bytes - end)
  yield* dmaWrite((start + end) % 2 ** 32, record.subarray(0, first))
  if (first < record.length) yield* dmaWrite(start, record.subarray(first))
  return (end + room) % bytes
}
