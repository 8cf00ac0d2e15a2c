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

function context(headers, done) {
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
        done: (error, result) => done(error, result),
        succeed: (result) => done(null, result),
        fail: (error) => done(error),
    };
}

function run(handler, event, headers) {
    return new Promise((resolve, reject) => {
        const done = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
        const about = context(headers, done);
        const value = handler(event, about, (error, result) => {
            if (!about.callbackWaitsForEmptyEventLoop || error) {
                return done(error, result);
            }
            // Once nothing else is under way.
            process.once('beforeExit', () => done(error, result));
        });
        if (typeof value?.then === 'function') {
            value.then(resolve, reject);
        } else if (handler.length < 3) {
            resolve(value);
        }
    });
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
