import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Inject, NotFoundException, Req, Res, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import type { CanActivate, Type } from '@nestjs/common';
import { LiveStream } from './live-stream.js';
import { PAGE_NAMES, PageFiles, type PageFile } from './page-files.js';
import { headersOf, STREAM_HEADERS } from './headers.js';

/** A request as Express has it, or as Fastify has it. */
type AnyRequest = IncomingMessage & { readonly originalUrl: string; readonly raw?: IncomingMessage };

/** A response as Express has it, or a reply of Fastify, which has it inside. */
type AnyResponse = ServerResponse & { readonly raw?: ServerResponse; hijack?(): void };

/**
 * The controller of one dashboard. A class of its own for each, since path and guards are told Nest by decorators.
 *
 * It writes to Node's own response, which is the same on Express and Fastify; so no interceptor or serializer of the
 * application changes what the page needs as it is.
 */
export function dashboardController(path: string, guards: ReadonlyArray<Type<CanActivate> | CanActivate>): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class ConnectionPoolDashboardController {
    private readonly files = new PageFiles();

    constructor(@Inject(LiveStream) private readonly stream: LiveStream) {}

    @Get()
    page(@Req() request: AnyRequest, @Res() response: AnyResponse): void {
      send(request, response, this.files.page(lastOf(request)));
    }

    @Get(PAGE_NAMES)
    file(@Req() request: AnyRequest, @Res() response: AnyResponse): void {
      const file = this.files.file(lastOf(request));
      if (file === undefined) throw new NotFoundException();
      send(request, response, file);
    }

    @Get('stream')
    live(@Req() request: AnyRequest, @Res() response: AnyResponse): void {
      const raw = takeOver(response);
      setHeaders(raw, STREAM_HEADERS);
      // Its socket must not be kept open when the stream ends, for the server's end would wait for it. HTTP/2 has no such header.
      if ((request.raw ?? request).httpVersionMajor !== 2) raw.setHeader('connection', 'close');
      if (request.method === 'HEAD') raw.end();
      else this.stream.attach(raw);
    }
  }
  return ConnectionPoolDashboardController;
}

/** The last part of the path that was asked for, as it was written. */
function lastOf({ originalUrl }: AnyRequest): string {
  const path = originalUrl.replace(/[?#].*/s, '');
  return path.slice(path.lastIndexOf('/') + 1);
}

function send(request: AnyRequest, response: AnyResponse, file: PageFile): void {
  const raw = takeOver(response);
  setHeaders(raw, headersOf(file));
  if (request.headers['if-none-match'] === file.etag) {
    raw.writeHead(304).end();
    return;
  }
  raw.setHeader('content-length', Buffer.byteLength(file.text));
  raw.end(request.method === 'HEAD' ? undefined : file.text);
}

function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

function takeOver(response: AnyResponse): ServerResponse {
  // Else Fastify would wait for its own reply to be sent.
  response.hijack?.();
  return response.raw ?? response;
}
