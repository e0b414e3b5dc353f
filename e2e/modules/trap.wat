;; A waPC guest that traps in its first `validate` and allows all further requests, to show whether an instance is used
;; again after a trap.
;; The length of the operation name identifies the operation: validate (8), protocol_version (16), validate_settings (17).
(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (global $trapped (mut i32) (i32.const 0))
  (data (i32.const 64) "{\"accepted\":true}")
  (data (i32.const 128) "{\"valid\":true}")
  (data (i32.const 192) "\"v1\"")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (if (i32.eq (local.get $operation) (i32.const 8))
      (then
        (if (global.get $trapped)
          (then (call $response (i32.const 64) (i32.const 17)) (return (i32.const 1))))
        (global.set $trapped (i32.const 1))
        (unreachable)))
    (if (i32.eq (local.get $operation) (i32.const 17))
      (then (call $response (i32.const 128) (i32.const 14)) (return (i32.const 1))))
    (call $response (i32.const 192) (i32.const 4))
    (i32.const 1)))
