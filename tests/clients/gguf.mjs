// SPDX-License-Identifier: BSD-3-Clause
// Files beside Hugging Face's parser of GGUF: metadata that it writes, read by the library and written again, and a
// tensor of each type, are what it reads:
//   node tests/clients/gguf.mjs <program of gguf.cpp> <folder for packages>
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { require_packages } from "./npm.mjs";

const [program, folder] = process.argv.slice(2);
if (!folder) {
    console.error("usage: node gguf.mjs <program of gguf.cpp> <folder for packages>");
    process.exit(2);
}
const packages = resolve(folder);
require_packages(packages, ["@huggingface/gguf@0.4.6", "@huggingface/tasks@0.21.33"]);
const { gguf, serializeGgufMetadata, GGUFValueType: Kind, GGMLQuantizationType: Type } = await import(
    pathToFileURL(join(packages, "node_modules/@huggingface/gguf/dist/index.mjs")));

const values = {
    UINT8: [0, 255], INT8: [-128, 127], UINT16: [0, 65535], INT16: [-32768, 32767], UINT32: [0, 2 ** 32 - 1],
    INT32: [-(2 ** 31), 2 ** 31 - 1], FLOAT32: [-0, 1.5, 2 ** -149, -Infinity], BOOL: [true, false],
    STRING: ["", "naïve 中文 😀 \n\t\"quoted\""], UINT64: [0n, 2n ** 64n - 1n], INT64: [-(2n ** 63n), 2n ** 63n - 1n],
    FLOAT64: [Math.PI, -(2 ** -1074), 1e308],
};
const counts = { version: { value: 3, type: Kind.UINT32 }, tensor_count: { value: 0n, type: Kind.UINT64 } };
let wrong = 0, keys = 0, tensors = 0;
const expect = (is_right, ...what) => {
    if (!is_right) ++wrong, console.log("wrong:", ...what);
};

for (const alignment of [undefined, 8, 64]) {
    const about = { "general.architecture": { value: "llama", type: Kind.STRING } };
    if (alignment) about["general.alignment"] = { value: alignment, type: Kind.UINT32 };
    for (const [name, of] of Object.entries(values)) {
        of.forEach((value, i) => (about[`${name}.${i}`] = { value, type: Kind[name] }));
        if (name !== "UINT8") // of whose arrays its writer says that they have no type
            about[`array of ${name}`] = { value: [...of, ...of], type: Kind.ARRAY, subType: Kind[name] };
    }
    about["empty array"] = { value: [], type: Kind.ARRAY, subType: Kind.STRING };
    about["a long array"] = { value: Array.from({ length: 5000 }, (_, i) => `▁${i}`), type: Kind.ARRAY,
        subType: Kind.STRING };
    const [from, to] = ["theirs.gguf", "ours.gguf"].map((name) => join(packages, name));
    writeFileSync(from, serializeGgufMetadata({ ...counts, ...about }));
    const made = execFileSync(program, [from, to], { encoding: "utf8" }).trim().split("\n").map(JSON.parse);
    about["array of UINT8"] = { value: [0, 7, 255], type: Kind.ARRAY, subType: Kind.UINT8 };

    const found = await gguf(to, { typedMetadata: true, allowLocalFile: true });
    const { version, tensor_count, kv_count, ...rest } = found.typedMetadata;
    expect(isDeepStrictEqual(Object.keys(rest), Object.keys(about)), "keys", Object.keys(rest));
    for (const [key, entry] of Object.entries(about)) expect(isDeepStrictEqual(rest[key], entry), key, rest[key]);
    expect(version.value === 3 && found.littleEndian, "version", version);
    expect(Number(kv_count.value) === Object.keys(about).length, "keys", kv_count);
    expect(Number(tensor_count.value) === made.length, "tensors", tensor_count);

    const data = readFileSync(to).subarray(Number(found.tensorDataOffset));
    found.tensorInfos.forEach((info, i) => {
        const { name, type, shape, bytes, each } = made[i], at = Number(info.offset);
        expect(info.name === name && Type[info.dtype] === type, info, "not", name, type);
        expect(isDeepStrictEqual(info.shape.map(Number), shape.toReversed()), info, "not", shape);
        expect(at % (alignment ?? 32) === 0, info, "not at a multiple of", alignment);
        expect(data.subarray(at, at + bytes).length === bytes &&
            data.subarray(at, at + bytes).every((byte) => byte === each), info, "other bytes");
    });
    expect(found.tensorInfos.length === made.length, "tensors", found.tensorInfos.length);
    keys += Object.keys(about).length, tensors += made.length;
}
console.log(wrong === 0 ? `ok: ${keys} keys and ${tensors} tensors in 3 files` : `${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
