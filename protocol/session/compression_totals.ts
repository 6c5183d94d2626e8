/** What compression has done so far; changed in place. */
export interface CompressionTotals {
  /** Frames that were sent compressed. */
  framesSent: number;
  /** Bytes that did not have to be sent. */
  bytesSavedSending: number;
  /** Frames that came in compressed. */
  framesReceived: number;
  /** What did not have to come in, in UTF-16 units less bytes. */
  bytesSavedReceiving: number;
}

/** Nothing so far. */
export function noCompression(): CompressionTotals {
  return { framesSent: 0, bytesSavedSending: 0, framesReceived: 0, bytesSavedReceiving: 0 };
}
