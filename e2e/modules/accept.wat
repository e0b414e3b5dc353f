;; A waPC guest that allows every request: the minimum cost of a policy.
;; The length of the operation name identifies the operation: validate (8), protocol_version (16), validate_settings (17).
(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 64) "{\"accepted\":true}")
  (data (i32.const 128) "{\"valid\":true}")
  (data (i32.const 192) "\"v1\"")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    ;; Grow the memory for the payload after the first page.
    (block $enough
      (br_if $enough (i32.ge_u (i32.mul (memory.size) (i32.const 65536))
                               (i32.add (local.get $payload) (i32.const 65536))))
      (drop (memory.grow (i32.div_u (i32.add (local.get $payload) (i32.const 65535)) (i32.const 65536)))))
    (call $request (i32.const 0) (i32.const 65536))
    (if (i32.eq (local.get $operation) (i32.const 8))
      (then (call $response (i32.const 64) (i32.const 17)) (return (i32.const 1))))
    (if (i32.eq (local.get $operation) (i32.const 17))
      (then (call $response (i32.const 128) (i32.const 14)) (return (i32.const 1))))
    (call $response (i32.const 192) (i32.const 4))
    (i32.const 1)))
