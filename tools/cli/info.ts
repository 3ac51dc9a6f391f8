/**
 * `ananke info`: what a recording is of, how large it is, how it ended, and who said how much.
 */

import Table from 'cli-table3'
import type { Message } from '../../bus/mod.ts'
import { listCheckpoints, Recording } from '../../replay-store/mod.ts'
import { bytesText, grouped, vtText } from './format.ts'

export interface RecordingInfo {
  recording: string
  guest: string
  machine: string
  options: Record<string, unknown>
  createdWith: string
  formatVersion: number
  nsPerInstruction: number
  gridNs: number
  hashNs: number
  memoryBytes: number
  rtcSeconds: number
  script: string | null
  images: { name: string; bytes: number; sha256: string }[]
  /** `keptBytes`: how much of the image the run read, and the recording has. */
  drives: { name: string; path: string; bytes: number; sha256: string; keptBytes: number }[]
  entries: number
  journalBytes: number
  bytesPer1000Instructions: number
  /** Whole ones: how many, and their files' bytes. */
  checkpoints: { count: number; bytes: number }
  instructions: number
  virtualSeconds: number
  identity: string
  /** Null: the recorder was killed, or is still at it. */
  end: { reason: string; digest: string } | null
  truncated: string | null
  /** Entries by node that sent or got them, by kind. An entry between two nodes counts for both. */
  nodes: Record<string, Record<string, number>>
}

export function readInfo(directory: string): RecordingInfo {
  const recording = Recording.open(directory)
  const { manifest } = recording
  const nodes: Record<string, Record<string, number>> = {}
  let last: Message | undefined
  for (const message of recording.entries()) {
    for (const node of new Set([message.src, message.dst])) count(nodes, node, message.payload.kind)
    last = message
  }
  const { files } = listCheckpoints(directory)
  const checkpoints = { count: files.length, bytes: files.reduce((sum, { fileBytes }) => sum + fileBytes, 0) }
  const instructions = manifest.end?.instructions ?? last?.icount ?? 0
  return {
    recording: directory,
    guest: manifest.guest,
    machine: manifest.board.name,
    options: manifest.board.options,
    createdWith: manifest.createdWith,
    formatVersion: manifest.formatVersion,
    nsPerInstruction: manifest.nsPerInstruction,
    gridNs: manifest.gridNs,
    hashNs: manifest.hashNs,
    memoryBytes: manifest.memoryBytes,
    rtcSeconds: manifest.rtcSeconds,
    script: manifest.script ?? null,
    images: manifest.images,
    drives: (manifest.drives ?? []).map((drive) => ({ ...drive, keptBytes: recording.drive(drive.name).keptBytes })),
    entries: recording.entryCount,
    journalBytes: recording.journalBytes,
    bytesPer1000Instructions: instructions === 0 ? 0 : (recording.journalBytes * 1000) / instructions,
    checkpoints,
    instructions,
    virtualSeconds: (manifest.end?.vt ?? last?.vt ?? 0) / 1e9,
    identity: recording.identity(),
    end: manifest.end === undefined ? null : { reason: manifest.end.reason, digest: manifest.end.digest },
    truncated: recording.truncated?.what ?? null,
    nodes,
  }
}

function count(nodes: RecordingInfo['nodes'], node: string, kind: string): void {
  nodes[node] ??= {}
  nodes[node][kind] = (nodes[node][kind] ?? 0) + 1
}

export function infoLines(info: RecordingInfo): string[] {
  const ended = info.end === null ? `cut off: ${info.truncated}; it replays to its last whole entry` : info.end.reason
  const rows: [string, string][] = [
    ['guest', info.guest],
    ['machine', `${info.machine}, ${bytesText(info.memoryBytes)}, ${info.nsPerInstruction} ns an instruction`],
    ['power-on at', new Date(info.rtcSeconds * 1000).toISOString()],
    ...info.images.map((image): [string, string] => [
      `image ${image.name}`,
      `${bytesText(image.bytes)}, ${image.sha256}`,
    ]),
    ...info.drives.map((drive): [string, string] => [
      `drive ${drive.name}`,
      `${bytesText(drive.bytes)}, of which ${bytesText(drive.keptBytes)} were read, ${drive.sha256}`,
    ]),
    ['input', info.script === null ? 'a person' : `a script of ${info.script.split('\n').length} lines`],
    ['entries', grouped(info.entries)],
    [
      'journal',
      `${bytesText(info.journalBytes)}, ${info.bytesPer1000Instructions.toFixed(3)} bytes per 1000 instructions`,
    ],
    ['checkpoints', `${info.checkpoints.count}, ${bytesText(info.checkpoints.bytes)}`],
    ['instructions', grouped(info.instructions)],
    ['virtual time', `${vtText(Math.round(info.virtualSeconds * 1e9))} s`],
    ['end', ended],
    ['identity', info.identity],
    ['digest', info.end?.digest ?? 'none'],
    ['made with', `Ananke ${info.createdWith}, format version ${info.formatVersion}`],
  ]
  const lines = rows.map(([name, value]) => `${name.padEnd(14)} ${value}`)
  return [...lines, '', ...nodeTable(info.nodes).split('\n')]
}

function nodeTable(nodes: RecordingInfo['nodes']): string {
  const kinds = [...new Set(Object.values(nodes).flatMap((kindCounts) => Object.keys(kindCounts)))]
  const table = new Table({ head: ['node', ...kinds], style: { head: [], border: [], compact: true } })
  for (const [node, counts] of Object.entries(nodes)) {
    table.push([node, ...kinds.map((kind) => (counts[kind] === undefined ? '' : grouped(counts[kind])))])
  }
  return table.toString()
}
