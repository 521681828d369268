// A client's workflow with the fetch client that openapi-generator generates from the OpenAPI document.
// Checked and run by scripts/generated-client against a temporary server, whose URL is in the document.

import { deepEqual, equal, ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";

import {
  AccountApi,
  CarsApi,
  Configuration,
  ResponseError,
  ServiceApi,
  TokensApi,
  type Car,
} from "./openapi-generator/index.js";

const { PICTURE: picture } = process.env;
ok(picture, "PICTURE is set");
const password = "Meadow-lark-77";

async function logIn(): Promise<CarsApi> {
  const user = await new AccountApi().register({
    registrationRequest: {
      username: "typescript-fetch",
      email: "typescript-fetch@example.com",
      firstName: "Ann",
      lastName: "Lee",
      password,
    },
  });
  equal(user.role, "client");
  const credentials = { username: "typescript-fetch", password };
  const wrong = new TokensApi().obtainToken({ tokenObtainPairRequest: { ...credentials, password: "wrong" } });
  deepEqual(await refusal(wrong), [401, { detail: "No active account found with the given credentials" }]);
  const { access } = await new TokensApi().obtainToken({ tokenObtainPairRequest: credentials });
  return new CarsApi(new Configuration({ accessToken: access }));
}

async function refusal(call: Promise<unknown>): Promise<[number, unknown]> {
  const error: unknown = await call.catch((error) => error);
  ok(error instanceof ResponseError);
  return [error.response.status, await error.response.json()];
}

async function addCar(cars: CarsApi): Promise<Car> {
  const carRequest = { brand: "Toyota", model: "Camry", year: 2023, license: "OG 1", notes: "Winter tyres" };
  const car = await cars.createCar({ carRequest });
  deepEqual([car.year, car.mileage, car.vin], [2023, 0, null]);
  ok(car.createdAt instanceof Date);
  const refused = cars.createCar({ carRequest: { ...carRequest, year: 1700, license: "og 1" } });
  const errors = {
    year: ["Ensure this value is greater than or equal to 1886."],
    license: ["car with this license already exists."],
  };
  deepEqual(await refusal(refused), [400, errors]);
  return car;
}

async function uploadPicture(cars: CarsApi, { id }: Car): Promise<void> {
  const image = new Blob([await readFile(picture!)], { type: "image/png" });
  const shown = await cars.uploadCarImage({ carId: id, image });
  ok(shown.image);
  const jpeg = await new ServiceApi().getMedia({ file: shown.image.replace("/media/cars/", "") });
  deepEqual([...new Uint8Array(await jpeg.arrayBuffer()).subarray(0, 3)], [0xff, 0xd8, 0xff]);
}

async function listAndChange(cars: CarsApi, { id }: Car): Promise<void> {
  const changed = await cars.updateCar({ carId: id, patchedCarRequest: { color: null, mileage: 17_000 } });
  deepEqual([changed.color, changed.mileage, changed.notes], [null, 17_000, "Winter tyres"]);
  const all = await cars.listCars();
  ok(Array.isArray(all));
  deepEqual(all.map((car) => car.id), [id]);
  const page = await cars.listCars({ search: "camry", limit: 1 });
  ok(!Array.isArray(page));
  deepEqual([page.count, page.results[0]?.id], [1, id]);
}

const cars = await logIn();
const car = await addCar(cars);
await uploadPicture(cars, car);
await listAndChange(cars, car);
console.log("The TypeScript client of openapi-generator works.");
