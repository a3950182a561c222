import { writeFileSync } from "node:fs";
import { signatureVectorsFile } from "./signature-vectors/cases.ts";

writeFileSync(new URL("../../../docs/signature-test-vectors.json", import.meta.url), signatureVectorsFile());
