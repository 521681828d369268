// A client's workflow with the fetch functions that orval generates from the OpenAPI document.
// Checked and run by scripts/generated-client against a temporary server, whose URL is in the document.

import { deepEqual, equal, ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";

import {
  createCar,
  getMedia,
  listCars,
  obtainToken,
  register,
  updateCar,
  uploadCarImage,
  type Car,
} from "./orval/mycars.js";

const { PICTURE: picture } = process.env;
ok(picture, "PICTURE is set");
const password = "Meadow-lark-77";

async function logIn(): Promise<RequestInit> {
  const created = await register({
    username: "orval",
    email: "orval@example.com",
    first_name: "Ann",
    last_name: "Lee",
    password,
  });
  ok(created.status === 201);
  equal(created.data.role, "client");
  const wrong = await obtainToken({ username: "orval", password: "wrong" });
  ok(wrong.status === 401);
  equal(wrong.data.detail, "No active account found with the given credentials");
  const tokens = await obtainToken({ username: "orval", password });
  ok(tokens.status === 200);
  return { headers: { Authorization: `Bearer ${tokens.data.access}` } };
}

async function addCar(options: RequestInit): Promise<Car> {
  const body = { brand: "Toyota", model: "Camry", year: 2023, license: "OR 1", notes: "Winter tyres" };
  const created = await createCar(body, undefined, options);
  ok(created.status === 201);
  deepEqual([created.data.year, created.data.mileage, created.data.vin], [2023, 0, null]);
  const refused = await createCar({ ...body, year: 1700, license: "or 1" }, undefined, options);
  equal(refused.status, 400);
  deepEqual(refused.data, {
    year: ["Ensure this value is greater than or equal to 1886."],
    license: ["car with this license already exists."],
  });
  return created.data;
}

async function uploadPicture(car: Car, options: RequestInit): Promise<void> {
  const image = new Blob([await readFile(picture!)], { type: "image/png" });
  const shown = await uploadCarImage(car.id, { image }, undefined, options);
  ok(shown.status === 200 && shown.data.image);
  const jpeg = await getMedia(shown.data.image.replace("/media/cars/", ""));
  ok(jpeg.status === 200);
  const start = new Uint8Array(await jpeg.data.arrayBuffer()).subarray(0, 3);
  deepEqual([...start], [0xff, 0xd8, 0xff]);
}

async function listAndChange(car: Car, options: RequestInit): Promise<void> {
  const changed = await updateCar(car.id, { color: null, mileage: 17_000 }, undefined, options);
  ok(changed.status === 200);
  deepEqual([changed.data.color, changed.data.mileage, changed.data.notes], [null, 17_000, "Winter tyres"]);
  const all = await listCars(undefined, options);
  ok(all.status === 200 && Array.isArray(all.data));
  deepEqual(all.data.map(({ id }) => id), [car.id]);
  const page = await listCars({ search: "camry", limit: 1 }, options);
  ok(page.status === 200 && !Array.isArray(page.data));
  deepEqual([page.data.count, page.data.results[0]?.id], [1, car.id]);
}

const options = await logIn();
const car = await addCar(options);
await uploadPicture(car, options);
await listAndChange(car, options);
console.log("The client of orval works.");
