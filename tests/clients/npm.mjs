// SPDX-License-Identifier: BSD-3-Clause
// Packages of exact versions, as npm brings them into a folder.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// Installs those of the list, NAME@VERSION, that are not there. Throws where npm does not bring them.
export function install(folder, list) {
    mkdirSync(folder, { recursive: true });
    if (!existsSync(join(folder, "package.json"))) writeFileSync(join(folder, "package.json"), '{"private":true}');
    const missing = list.filter((p) => !existsSync(join(folder, "node_modules", p.slice(0, p.lastIndexOf("@")))));
    if (missing.length)
        execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", ...missing], {
            cwd: folder,
            stdio: ["ignore", "ignore", "inherit"],
        });
}

// The same; where npm does not bring them, the test is skipped: exit code 77.
export function require_packages(folder, list) {
    try {
        install(folder, list);
    } catch (error) {
        console.log(`skipped: npm brings no ${list.join(", ")}: ${error.message.split("\n")[0]}`);
        process.exit(77);
    }
}
