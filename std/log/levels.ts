/** Log levels by name; a higher one is more urgent. */
export const LogLevels = {
  NOTSET: 0,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  ERROR: 40,
  CRITICAL: 50,
} as const;

/** Name of a log level. */
export type LevelName = keyof typeof LogLevels;

/** Number of a log level. */
export type LogLevel = typeof LogLevels[LevelName];

const NAMES = new Map<number, LevelName>(
  Object.entries(LogLevels).map(([name, level]) => [level, name as LevelName]),
);

/** Looks up the number of a log level. */
export function getLevelByName(name: LevelName): LogLevel {
  const level: LogLevel | undefined = LogLevels[name];
  if (level === undefined) {
    throw new Error(`Cannot get log level: no level named ${name}`);
  }
  return level;
}

/** Looks up the name of a log level. */
export function getLevelName(level: LogLevel): LevelName {
  const name = NAMES.get(level);
  if (name === undefined) {
    throw new Error(`Cannot get log level: no name for level: ${level}`);
  }
  return name;
}
