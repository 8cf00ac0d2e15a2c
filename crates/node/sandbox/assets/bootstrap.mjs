// Asks the runtime API for invocations and hands them to the function's handler, a promise or a callback.
import http from 'node:http';
import path from 'node:path';
import fs from 'node:fs';
import util from 'node:util';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const root = '/2018-06-01/runtime/';
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let current;

function call(method, where, body, headers = {}) {
    return new Promise((resolve, reject) => {
        const request = http.request({ host, port, agent, method, path: root + where, headers, timeout: 0 }, (response) => {
            const chunks = [];
            response.on('data', (chunk) => chunks.push(chunk));
            response.on('end', () => resolve({ response, text: Buffer.concat(chunks).toString() }));
            response.on('error', reject);
        });
        request.on('error', reject);
        request.end(body);
    });
}

function told(error) {
    if (error instanceof Error) {
        return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function fail(where, error) {
    const body = told(error);
    return call('POST', where, JSON.stringify(body), {
        'content-type': 'application/json',
        'lambda-runtime-function-error-type': body.errorType,
    });
}

// Lines as the cloud's runtime writes them: time, invocation, level, text.
for (const [name, level] of [['debug', 'DEBUG'], ['info', 'INFO'], ['log', 'INFO'], ['warn', 'WARN'], ['error', 'ERROR'], ['trace', 'TRACE']]) {
    console[name] = (...values) => {
        const text = util.format(...values).replaceAll('\n', '\r');
        process.stdout.write(`${new Date().toISOString()}\t${current ?? 'undefined'}\t${level}\t${text}\n`);
    };
}

function missing(message, type) {
    const error = new Error(message);
    error.name = type;
    return error;
}

async function load(named) {
    const task = process.env.LAMBDA_TASK_ROOT;
    const base = path.basename(named);
    const dot = base.indexOf('.');
    if (dot < 1) {
        throw missing(`Bad handler ${named}`, 'Runtime.MalformedHandlerName');
    }
    const file = path.join(path.dirname(named), base.slice(0, dot));
    const found = ['', '.js', '.mjs', '.cjs'].map((end) => path.resolve(task, file + end)).find((name) => fs.statSync(name, { throwIfNoEntry: false })?.isFile());
    if (!found) {
        throw missing(`Cannot find module '${file}'`, 'Runtime.ImportModuleError');
    }
    let module;
    try {
        module = found.endsWith('.cjs') ? createRequire(found)(found) : await import(pathToFileURL(found));
    } catch (error) {
        if (error instanceof SyntaxError) {
            throw missing(`SyntaxError: ${error.message}`, 'Runtime.UserCodeSyntaxError');
        }
        throw error;
    }
    let handler = module;
    for (const part of base.slice(dot + 1).split('.')) {
        handler = handler?.[part] ?? (handler === module ? module.default?.[part] : undefined);
    }
    if (typeof handler !== 'function') {
        throw missing(`${named} is undefined or not exported`, 'Runtime.HandlerNotFound');
    }
    return handler;
}

function context(headers, ends) {
    const deadline = Number(headers['lambda-runtime-deadline-ms']);
    const client = headers['lambda-runtime-client-context'];
    return {
        callbackWaitsForEmptyEventLoop: true,
        functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
        functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
        memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
        logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
        logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
        awsRequestId: headers['lambda-runtime-aws-request-id'],
        invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
        clientContext: client ? JSON.parse(client) : undefined,
        identity: undefined,
        getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
        ...ends,
    };
}

// What to do once nothing is under way any more.
let whenIdle;
process.on('beforeExit', () => whenIdle?.());

const isNothing = (error) => error === null || error === undefined;

// The answer is what a promise comes to or what the first call of the callback or of a function of the context says; what a
// handler returns that is no promise is not looked at. The callback's result waits until nothing else is under way, as
// long as the context says so. A handler that comes to an end without having answered answers null; one that is declared
// async has failed.
function run(handler, event, headers) {
    return new Promise((resolve, reject) => {
        let ended = false;
        const first = (end) => (...said) => {
            if (!ended) {
                ended = true;
                whenIdle = undefined;
                end(...said);
            }
        };
        const done = (error, result) => (isNothing(error) ? resolve(result) : reject(error));
        const succeed = first(resolve);
        const fail = first((error) => reject(isNothing(error) ? 'handled' : error));
        const about = context(headers, { done: first(done), succeed, fail });
        const callback = first((error, result) => {
            if (isNothing(error) && about.callbackWaitsForEmptyEventLoop) {
                whenIdle = () => resolve(result);
            } else {
                done(error, result);
            }
        });
        whenIdle = first(() => {
            if (handler[Symbol.toStringTag] === 'AsyncFunction') {
                reject(missing('The asynchronous function ended without settling its promise: nothing was under way that could still do so', 'Runtime.NodeJsExit'));
            } else {
                resolve(null);
            }
        });
        try {
            const value = handler(event, about, callback);
            if (typeof value?.then === 'function') {
                value.then(succeed, fail);
            }
        } catch (error) {
            fail(error);
        }
    }).finally(() => { whenIdle = undefined; });
}

for (const [event, type] of [['uncaughtException', 'Runtime.UncaughtException'], ['unhandledRejection', 'Runtime.UnhandledPromiseRejection']]) {
    process.on(event, async (error) => {
        console.error(event, error);
        const said = told(error);
        const body = type === 'Runtime.UncaughtException' ? error : missing(`${said.errorType}: ${said.errorMessage}`, type);
        await fail(current ? `invocation/${current}/error` : 'init/error', body).catch(() => {});
        process.exit(128);
    });
}

let handler;
try {
    handler = await load(process.env._HANDLER);
} catch (error) {
    console.error(error);
    await fail('init/error', error);
    process.exit(1);
}
for (;;) {
    const { response, text } = await call('GET', 'invocation/next');
    const id = response.headers['lambda-runtime-aws-request-id'];
    current = id;
    try {
        const event = text === '' ? {} : JSON.parse(text);
        const result = await run(handler, event, response.headers);
        const body = JSON.stringify(result === undefined ? null : result);
        await call('POST', `invocation/${id}/response`, body ?? 'null', { 'content-type': 'application/json' });
    } catch (error) {
        console.error('Invoke Error', error);
        await fail(`invocation/${id}/error`, error);
    }
    current = undefined;
}
