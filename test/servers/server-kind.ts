/** Where a server lives. */
export interface Place {
  /** Its own, which goes with it. */
  readonly folder: string;
  readonly port: number;
  /** Runs one of the kind's programs to its end, as the server's user; rejects with what it printed if it fails. */
  run(program: string, args: readonly string[]): Promise<void>;
}

/** A kind of server, and how one is started from the binaries on the machine. */
export interface ServerKind {
  readonly name: string;
  /** The Debian package that brings the binaries. */
  readonly package: string;
  /** What has to be there, all in one folder; the first is the server. */
  readonly binaries: readonly string[];
  /** What starts the server, if it takes more than to call it: an absolute path. Default: the first of the binaries. */
  readonly starter?: string;
  /** Where to look besides PATH; a `*` stands for any name, the highest version first. */
  readonly folders?: readonly string[];
  /** Ends the server in an orderly way, and soon, whoever is still connected. */
  readonly stopSignal: NodeJS.Signals;
  /** Whether it must run as whoever runs the tests, whose files it reads; else, as root, it runs as `nobody`. */
  readonly isOurs?: boolean;
  /** What has to be done once, before the first start. There is no port yet. */
  prepare?(place: Place): Promise<void> | void;
  /** What has to be done before each start, such as writing the port into a file. */
  configure?(place: Place): void;
  /** What its environment has besides PATH, HOME and LC_ALL. */
  environment?(place: Place): Readonly<Record<string, string>>;
  /** The server's arguments: in the foreground, and on 127.0.0.1 alone. */
  args(place: Place): readonly string[];
  /** Resolves if the server answers; rejects if it does not, and soon. */
  ping(port: number): Promise<unknown>;
}
