// SPDX-License-Identifier: BSD-3-Clause
// Our packed matrices of 4 bits in onnxruntime's MatMulNBits: the product is ours.
//   node tests/clients/nbits.mjs <program of nbits.cpp> <folder for packages>
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { require_packages } from "./npm.mjs";

const [program, folder] = process.argv.slice(2);
if (!folder) {
    console.error("usage: node nbits.mjs <program of nbits.cpp> <folder for packages>");
    process.exit(2);
}
const packages = resolve(folder);
require_packages(packages, ["onnxruntime-node@1.18.0", "onnxruntime-common@1.18.0"]);

// An ONNX model, as far as one node goes: protocol buffers whose fields are numbers, texts, bytes or lists of fields.
function varint(n) {
    const bytes = [];
    for (; n > 127; n = Math.floor(n / 128)) bytes.push((n % 128) + 128);
    return Buffer.from([...bytes, n]);
}
const message = (...fields) => Buffer.concat(fields.map(([number, value]) => {
    if (typeof value === "number") return Buffer.concat([varint(number * 8), varint(value)]);
    const bytes = Buffer.from(value);
    return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}));
const FLOAT = 1, UINT8 = 2, INT = 2; // of a tensor, of an attribute
const constant = (name, type, dims, array) => message(...dims.map((n) => [1, n]), [2, type], [8, name],
    [9, Buffer.from(array.buffer, array.byteOffset, array.byteLength)]);
const described = (name, dims) => message([1, name],
    [2, message([1, message([1, FLOAT], [2, message(...dims.map((n) => [1, message([1, n])]))])])]);
function model(vectors, rows, cols, block, accuracy, constants) {
    const numbers = { K: cols, N: rows, bits: 4, block_size: block, accuracy_level: accuracy };
    const settings = Object.entries(numbers).map(([name, i]) => [5, message([1, name], [3, i], [20, INT])]);
    const node = message([1, "x"], ...constants.map(([name]) => [1, name]), [2, "y"], [4, "MatMulNBits"], ...settings,
        [7, "com.microsoft"]);
    const graph = message([1, node], [2, "product"], ...constants.map((c) => [5, constant(...c)]),
        [11, described("x", [vectors, cols])], [12, described("y", [vectors, rows])]);
    return message([1, 8], [7, graph], [8, message([1, ""], [2, 17])], [8, message([1, "com.microsoft"], [2, 1])]);
}

// Codes [rows, n], two in a byte, the lower nibble first; each row ends with 8 until it has `whole` codes.
function nibbles(codes, rows, whole) {
    const n = codes.length / rows, bytes = new Uint8Array((rows * whole) / 2);
    for (let row = 0; row < rows; ++row)
        for (let i = 0; i < whole; ++i)
            bytes[(row * whole + i) >> 1] |= (i < n ? codes[row * n + i] : 8) << (4 * (i % 2));
    return bytes;
}

const file = join(packages, "nbits.safetensors");
execFileSync(program, [file]);
const bytes = readFileSync(file), start = 8 + Number(bytes.readBigUInt64LE(0));
const header = JSON.parse(bytes.subarray(8, start));
const tensor = (name) => {
    const { dtype, data_offsets } = header[name], [begin, end] = data_offsets.map((at) => start + at);
    return new (dtype === "U8" ? Uint8Array : Float32Array)(new Uint8Array(bytes.subarray(begin, end)).buffer);
};
const { InferenceSession, Tensor } = createRequire(join(packages, "package.json"))("onnxruntime-node");
let wrong = 0, products = 0;
for (const name of Object.keys(header).filter((n) => n.endsWith(".codes")).map((n) => n.slice(0, -6))) {
    const [rows, cols] = header[`${name}.codes`].shape, [, groups] = header[`${name}.scales`].shape;
    const block = Number(name.split(", ")[1]), [all] = header[`${name}.x`].shape;
    const codes = tensor(`${name}.codes`), scales = tensor(`${name}.scales`), x = tensor(`${name}.x`);
    const zeros = header[`${name}.zeros`] && tensor(`${name}.zeros`), ours = tensor(`${name}.y`);
    const constants = [["codes", UINT8, [rows, groups, block / 2], nibbles(codes, rows, groups * block)],
        ["scales", FLOAT, [rows * groups], scales]];
    if (zeros instanceof Uint8Array) {
        const packed = nibbles(zeros, rows, groups + (groups % 2));
        constants.push(["zeros", UINT8, [packed.length], packed]);
    } else if (zeros) constants.push(["zeros", FLOAT, [rows, groups], zeros]);

    // Both round each of cols products and sums, and their weights, to float: relative to the magnitudes of what is
    // added, at most (cols + 4) 2^-24 there and (groups + 8) 2^-23 here.
    const most = (cols + 4) * 2 ** -24 + (groups + 8) * 2 ** -23;
    let largest = 0;
    for (const vectors of [1, all]) // which run by other kernels
        for (const accuracy of [0, 1]) {
            const session = await InferenceSession.create(model(vectors, rows, cols, block, accuracy, constants));
            const { y } = await session.run({ x: new Tensor("float32", x.slice(0, vectors * cols), [vectors, cols]) });
            for (let v = 0; v < vectors; ++v)
                for (let row = 0; row < rows; ++row, ++products) {
                    let magnitude = 0;
                    for (let col = 0; col < cols; ++col) {
                        const at = row * groups + Math.floor(col / block);
                        magnitude += Math.abs(scales[at] * x[v * cols + col]) *
                            (codes[row * cols + col] + Math.abs(zeros ? zeros[at] : 8));
                    }
                    const at = v * rows + row, off = Math.abs(y.data[at] - ours[at]) / magnitude;
                    largest = Math.max(largest, off);
                    if (!(off <= most) && ++wrong <= 5)
                        console.log(`${name}: y[${v}, ${row}] is ${y.data[at]}, ours ${ours[at]}`);
                }
        }
    const [told, may] = [largest, most].map((x) => x.toExponential(1));
    console.log(`${name.padEnd(18)} differs by ${told} of the magnitudes, may by ${may}`);
}
console.log(wrong === 0 ? `ok: ${products} sums` : `${wrong} of ${products} sums differ`);
process.exit(wrong === 0 ? 0 : 1);
