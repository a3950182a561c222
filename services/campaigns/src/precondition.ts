export { etagOf, matches, type Precondition, parseIfMatch } from "@coupon/service-kit";
